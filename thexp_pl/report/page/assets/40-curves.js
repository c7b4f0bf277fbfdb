// The section of curves: a card a metric, and the controls that they share.
(function (thexp) {
  "use strict";

  const SHOWN_NUMBERS = 40; // rows of a card's table

  // A card: its plot, what there is to say of it, and its numbers.
  function card(metric, source, state) {
    const holder = thexp.node("div", { class: "plot", role: "group" });
    const note = thexp.node("p", { class: "note" });
    const rows = thexp.node("div", {});
    const numbers = thexp.node("details", { class: "numbers" }, thexp.node("summary", {}, "Numbers"), rows);
    const title = thexp.node("h4", { class: "cell", title: metric }, metric);
    const button = (text, act) => thexp.node("button", { type: "button", class: "small", "aria-label": text + " " + metric, onclick: act }, text);
    const plot = thexp.plot(holder, () => thexp.figure(source.lines(metric), source.marks(), state), thexp.highlight);
    const larger = button("Larger", () => {
      element.classList.toggle("large");
      larger.setAttribute("aria-pressed", element.classList.contains("large"));
    });
    larger.setAttribute("aria-pressed", "false");
    const bar = thexp.node("div", { class: "bar" }, title, button("Reset zoom of", plot.reset), larger);
    bar.querySelectorAll("button").forEach((each, place) => (each.textContent = ["Reset", "Larger"][place]));
    const element = thexp.node("div", { class: "card", "data-metric": metric }, bar, holder, note, numbers);
    const made = { metric: metric, element: element, plot: plot, holder: holder, note: note };
    made.say = () => say(made, source, state, numbers.open ? rows : null);
    numbers.addEventListener("toggle", made.say);
    return made;
  }

  // The words of a card: alike for those who see the plot and those who do not.
  function say(made, source, state, rows) {
    const lines = source.lines(made.metric);
    const first = lines.length === 1 ? thexp.summary(lines[0].curve) : null;
    const words = first ? ["last", "min", "max"].map((part) => part + " " + (thexp.text.number(first[part]) || "none")) : [];
    const what = first ? words.join(", ") : lines.length + " runs";
    made.holder.setAttribute("aria-label", thexp.shown("Plot of " + made.metric + ": " + what + ". The numbers are below."));
    made.note.textContent = [first ? what + "." : "", thexp.remarks(lines, state)].filter(Boolean).join(" ");
    if (rows) thexp.table(rows, NUMBERS, lines.map(numbersOf), { label: "numbers of " + made.metric, limit: SHOWN_NUMBERS });
  }

  const numbersOf = (line) => ({ label: line.label, ...thexp.summary(line.curve) });
  const NUMBERS = [
    { name: "label", title: "run", kind: "text", value: (row) => row.label },
    ...["last", "min", "max", "points", "odd"].map((name) => ({
      name: name, title: name === "odd" ? "not finite" : name, kind: "number", value: (row) => row[name],
    })),
  ];

  function controls(state, redraw, rename) {
    const range = thexp.node("input", { type: "range", min: "0", max: "0.99", step: "0.01", value: "0" });
    const shown = thexp.node("output", {}, "0");
    range.addEventListener("input", () => {
      state.smooth = Number(range.value);
      shown.textContent = range.value;
      redraw();
    });
    const smoothing = thexp.label("Smoothing", range);
    smoothing.append(shown);
    smoothing.title = "An exponential mean over the recorded values, as TensorBoard's; of a long curve over the means of neighbouring values";
    const find = thexp.filterBox("Metrics", "part of a name, or several", (text) => {
      state.find = text.toLowerCase().split(/[\s,]+/).filter(Boolean);
      rename();
    });
    const log = thexp.tick("Log y", false, (ticked) => {
      state.log = ticked;
      redraw();
    });
    const by = thexp.choice("x", [["step", "step"], ["epoch", "epoch"]], "step", (value) => {
      state.by = value;
      redraw();
    });
    return { element: thexp.node("div", { class: "controls" }, find.element, smoothing, log, by), by: by };
  }

  // Put the curves of a source into an element.
  //   source: {names(), lines(metric), marks(), hasEpochs(), remarks(): what cannot be shown, as lines}
  // Returns {redraw(): the lines are others, rename(): the metrics may be others too}.
  thexp.curves = function (element, source) {
    const state = { smooth: 0, log: false, by: "step", find: [] };
    const cards = new Map();
    const grid = thexp.node("div", { class: "groups" });
    const remarks = thexp.node("p", { class: "note" });
    const redraw = () => {
      for (const each of cards.values()) {
        each.plot.redraw();
        each.say();
      }
    };
    const rename = () => {
      bar.by.hidden = !source.hasEpochs();
      remarks.textContent = source.remarks().map(thexp.shown).join(" ");
      arrange(grid, cards, source, state);
    };
    const bar = controls(state, redraw, rename);
    element.append(bar.element, remarks, grid);
    rename();
    return { redraw: redraw, rename: rename };
  };

  // The cards of the metrics that are asked for, by prefix. Those that stay keep their zoom.
  function arrange(grid, cards, source, state) {
    const all = source.names();
    const fits = (name) => !state.find.length || state.find.some((part) => name.toLowerCase().includes(part));
    const names = all.filter(fits);
    for (const [name, made] of cards) {
      if (names.includes(name)) continue;
      made.plot.remove();
      cards.delete(name);
    }
    const groups = thexp.byPrefix(names).map(([prefix, inside]) => {
      const made = inside.map((name) => {
        if (!cards.has(name)) cards.set(name, card(name, source, state));
        cards.get(name).say();
        return cards.get(name).element;
      });
      const title = prefix ? thexp.node("h3", { class: "cell" }, prefix + "/") : null;
      return thexp.node("div", { class: "group" }, title, thexp.node("div", { class: "grid" }, made));
    });
    const none = all.length ? "No metric has such a name." : "No metrics were recorded.";
    grid.replaceChildren(...(groups.length ? groups : [thexp.empty(none)]));
  }
})((window.thexp = window.thexp || {}));
