// What is seen of the list: the boxes above it, the table, and the turning of its pages.
(function (thexp) {
  "use strict";

  const list = thexp.list;
  const MOST = 300; // runs on a page of several
  const count = (number, word) => number.toLocaleString("en") + " " + word + (number === 1 ? "" : "s");

  function button(text, act, options) {
    return thexp.node("button", { type: "button", onclick: act, ...options }, text);
  }

  const EMPTY = [
    thexp.node("h2", {}, "No runs yet"),
    thexp.node("p", {}, "A run is here as soon as it begins. This trains the built-in demo:"),
    thexp.node("pre", {}, "thexp-pl fit"),
    thexp.node("p", {}, "And this records any script:"),
    thexp.node("pre", {}, [
      "from thexp_pl import Experiment", "", 'with Experiment("./experiment", "first") as exp:',
      "    exp.params = {\"lr\": 0.1}", "    for step in range(100):",
      '        exp.log_metrics(step, 0, {"loss": 1 / (step + 1)})',
    ].join("\n")),
  ];

  // What the address says is shown: a reload, and the way back from a run, find the same.
  function remember() {
    const asked = new URLSearchParams();
    if (list.text) asked.set("text", list.text);
    if (list.sort) asked.set("sort", list.sort);
    if (!list.reverse) asked.set("up", "1");
    if (list.skip) asked.set("skip", list.skip);
    const text = asked.toString();
    history.replaceState(null, "", text ? "/?" + text : "/");
  }

  function recall() {
    const asked = new URLSearchParams(location.search);
    const skip = Number(asked.get("skip"));
    Object.assign(list, {
      text: asked.get("text") || "", sort: asked.get("sort") || "", reverse: !asked.has("up"),
      skip: Number.isSafeInteger(skip) && skip > 0 ? skip : 0,
    });
  }

  thexp.startList = async function (main) {
    recall();
    const view = (list.view = { line: thexp.node("p", { class: "line", role: "status" }), rows: [] });
    const filter = thexp.filterBox("Filter", "metrics.acc.max > 0.9 and params.lr < 0.1, or words", (text) => {
      list.restart({ text: text.trim() });
    });
    filter.box.maxLength = 5000;
    filter.box.value = list.text;
    const editor = thexp.editor(list.edit);
    const chooser = list.chooser(() => table.columns(columns()));
    const spark = thexp.node("select", { onchange: () => see(spark.value) });
    const newer = button("", () => list.restart({}), { class: "newer", hidden: true });
    const before = button("Previous", () => list.turn(-1));
    const after = button("Next", () => list.turn(1));
    const place = thexp.node("span", { class: "place", "aria-live": "polite" });
    const compare = button("Compare", () => location.assign("/compare?ids=" + Array.from(list.chosen).join(",")));
    const clear = button("Clear", () => { list.chosen.clear(); table.refresh(); choose(); });
    const gone = thexp.node("p", {});
    const empty = thexp.node("div", { class: "none", hidden: true }, gone, EMPTY);
    const holder = thexp.node("div", { class: "runs" });
    const columns = () => list.columnsOf(chooser.chosen, editor.open);

    const known = new Set(); // names, each with its kind before it
    const namesIn = (row) => ["params", "metrics"].flatMap((kind) => Object.keys(row[kind]).map((name) => kind + name));

    // What may be chosen, asked for where a run has what none had before.
    async function learn() {
      const newer = view.rows.flatMap(namesIn).filter((name) => !known.has(name));
      if (!newer.length) return;
      newer.forEach((name) => known.add(name));
      const found = await thexp.ask("/api/names");
      if (found.error) return;
      list.names = found;
      chooser.begin(view.rows[0]);
      const chosen = spark.value || found.metrics.find((name) => /loss/i.test(name)) || found.metrics[0] || "";
      spark.replaceChildren(...["", ...found.metrics].map((name) => thexp.node("option", { value: name }, name || "none")));
      spark.value = chosen;
      see(chosen);
    }

    function see(metric) {
      thexp.sparks.metric = metric;
      table.columns(columns());
    }

    function choose() {
      const size = list.chosen.size;
      compare.disabled = size < 1 || size > MOST;
      compare.textContent = size ? "Compare " + count(size, "run") : "Compare";
      compare.title = size > MOST ? "at most " + MOST + " runs" : "";
      clear.hidden = !size;
    }

    const table = thexp.table(holder, columns(), [], {
      label: "Runs", id: (row) => row.id, nameOf: (row) => row.key, sort: list.sort || "started",
      reverse: list.reverse, empty: "No run is like that.", limit: list.size, chosen: list.chosen, onchoose: choose,
      rowClass: (row) => (row.damage ? "damaged" : null),
      onsort: (sort, reverse) => list.restart(sort ? { sort: sort, reverse: reverse } : { sort: "", reverse: true }),
    });
    view.busy = (busy) => holder.setAttribute("aria-busy", String(busy));
    view.show = (found) => {
      const rows = view.rows;
      remember();
      empty.hidden = found.any;
      gone.hidden = !found.gone.length;
      gone.textContent = "These experiment roots are gone: " + found.gone.join(", ") + ". Runs are here again when a root is.";
      holder.hidden = !found.any;
      table.rows(rows);
      editor.refresh(rows);
      learn();
      newer.hidden = !found.newer;
      newer.textContent = count(found.newer, "new run");
      const [first, last] = [list.skip + 1, list.skip + rows.length];
      place.textContent = rows.length
        ? first.toLocaleString("en") + "–" + last.toLocaleString("en") + " of " + found.total.toLocaleString("en")
        : count(found.total, "run");
      before.disabled = list.skip === 0;
      after.disabled = last >= found.total;
    };

    const bar = thexp.node("div", { class: "controls finding" }, filter.element, thexp.label("Curve of", spark), chooser.element);
    const actions = thexp.node("div", { class: "controls actions" }, compare, clear, newer,
      thexp.node("span", { class: "pages" }, before, place, after));
    main.replaceChildren(thexp.node("header", { class: "top" }, thexp.node("h1", {}, "Runs"), thexp.themeButton()),
      bar, view.line, editor.element, actions, holder, empty);
    choose();
    await list.load();
    thexp.repeat(list.load);
  };
})((window.thexp = window.thexp || {}));
