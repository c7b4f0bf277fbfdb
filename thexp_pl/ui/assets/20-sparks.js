// Sparklines: asked for when their row is seen, a few rows at a time.
(function (thexp) {
  "use strict";

  const SPACE = "http://www.w3.org/2000/svg";
  const WIDTH = 120;
  const HEIGHT = 24;
  const AT_ONCE = 10; // runs of a question: the first curves are there at once
  const sparks = (thexp.sparks = { metric: "", kept: new Map() });
  const waiting = new Map(); // holders by the id of their run
  let asking = false;

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      waiting.set(entry.target.dataset.run, entry.target);
    }
    ask();
  });

  // The place of a run's curve; until a newer one is there it shows the one that was.
  sparks.holder = function (row) {
    const holder = thexp.node("span", { class: "spark", "data-run": row.id });
    const kept = sparks.kept.get(row.id);
    if (kept && kept.metric === sparks.metric) show(holder, kept.points);
    if (!kept || kept.metric !== sparks.metric || kept.row !== row) seen.observe(holder);
    holder.row = row;
    return holder;
  };

  async function ask() {
    if (asking) return;
    asking = true;
    while (waiting.size) {
      const some = Array.from(waiting).slice(0, AT_ONCE);
      some.forEach(([id]) => waiting.delete(id));
      const metric = sparks.metric;
      const asked = new URLSearchParams({ metric: metric, ids: some.map(([id]) => id).join(",") });
      const found = await thexp.ask("/api/sparks?" + asked);
      if (found.error || metric !== sparks.metric) continue;
      for (const [id, holder] of some) {
        sparks.kept.set(id, { metric: metric, points: found[id] || null, row: holder.row });
        show(holder, found[id]);
      }
    }
    asking = false;
  }

  function show(holder, points) {
    const pairs = points ? points.x.map((x, place) => [x, thexp.text.numeric(points.y[place])]) : [];
    const finite = pairs.filter(([, y]) => Number.isFinite(y));
    if (!finite.length) {
      holder.replaceChildren(pairs.length ? "not finite" : "");
      return;
    }
    holder.replaceChildren(drawn(pairs, finite));
  }

  function drawn(pairs, finite) {
    const [xs, ys] = [pairs.map(([x]) => x), finite.map(([, y]) => y)];
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const at = ([x, y]) => [
      right > left ? 2 + ((x - left) / (right - left)) * (WIDTH - 4) : WIDTH / 2,
      high > low ? HEIGHT - 2 - ((y - low) / (high - low)) * (HEIGHT - 4) : HEIGHT / 2,
    ].map((number) => number.toFixed(1)).join(" ");
    let line = "";
    let pen = "M";
    for (const pair of pairs) {
      if (Number.isFinite(pair[1])) line += pen + at(pair);
      pen = Number.isFinite(pair[1]) ? "L" : "M"; // a gap where it is not finite
    }
    const last = pairs[pairs.length - 1];
    const words = ["last " + thexp.text.number(last[1]), "min " + thexp.text.number(low),
      "max " + thexp.text.number(high), ...(finite.length < pairs.length ? ["some not finite"] : [])];
    const label = thexp.text.cut(sparks.metric, 60) + ": " + words.join(", ");
    const svg = element("svg", { viewBox: "0 0 " + WIDTH + " " + HEIGHT, role: "img", "aria-label": label });
    const title = element("title", {});
    title.textContent = label;
    svg.append(title, element("path", { d: line }), endOf(last, at));
    return svg;
  }

  // A dot at the last value; a cross at the foot where that is not finite.
  function endOf(last, at) {
    const [x, y] = at(last).split(" ");
    if (Number.isFinite(last[1])) return element("circle", { cx: x, cy: y, r: 2 });
    const middle = Math.min(Number(x), WIDTH - 4);
    return element("path", { class: "odd", d: `M${middle} ${HEIGHT - 2}m-3 0l6 -6m0 6l-6 -6` });
  }

  function element(name, attributes) {
    const made = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }
})((window.thexp = window.thexp || {}));
