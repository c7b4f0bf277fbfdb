// The columns of the list: facts, and the parameters and metrics that were chosen.
(function (thexp) {
  "use strict";

  const list = thexp.list;
  const KEY = "thexp-columns";
  const MOST = 200; // names to choose from at a time
  const PLAIN = /^[^[\]"'\s<>=!()]+$/;

  // A parameter or metric as the language of queries has it.
  const named = (kind, name) => kind + (PLAIN.test(name) ? "." + name : "[" + JSON.stringify(name) + "]");

  function kept() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY));
      const is = (names) => Array.isArray(names) && names.every((name) => typeof name === "string");
      return found && is(found.params) && is(found.metrics) ? found : null;
    } catch {
      return null;
    }
  }

  function keep(columns) {
    try {
      localStorage.setItem(KEY, JSON.stringify(columns));
    } catch {
      // it holds until the page is closed
    }
  }

  const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

  function chips(row, edit) {
    const tags = row.tags.slice(0, 3).map((tag) =>
      thexp.node("span", { class: "tag", title: tag }, thexp.text.cut(tag, 24)));
    const more = row.tags.length > 3 ? [" +" + (row.tags.length - 3)] : [];
    const button = thexp.node("button", {
      type: "button", class: "edit", "data-edit": row.id, "aria-label": "edit tags and notes of " + row.key,
      onclick: (event) => edit(row, event.currentTarget),
    }, "Edit");
    return thexp.node("span", { class: "chips" }, tags, more, button);
  }

  function seconds(row) {
    return row.seconds === null && row.status === "running" ? Date.now() / 1000 - row.started : row.seconds;
  }

  const note = (row) => row.notes[row.notes.length - 1] || "";

  function link(row) {
    const title = row.damage ? row.key + ": " + row.damage : row.key;
    return thexp.node("a", { href: "/run/" + row.id, title: title, class: "cell" }, row.key);
  }

  // A parameter's column stands to the right where what is shown of it are numbers.
  const kindOf = (name) =>
    (list.view.rows.some((row) => thexp.text.numeric(own(row.params, name)) !== null) ? "number" : "text");

  // The columns as thexp.table takes them; their names are what the server sorts by.
  list.columnsOf = function (chosen, edit) {
    const last = (name) => (row) => (own(row.metrics, name) || {}).last;
    const fact = (name, title, kind, value, node) => ({ name: name, title: title, kind: kind, value: value, node: node });
    return [
      fact("key", "Run", "text", (row) => row.key, link),
      fact("experiment", "Experiment", "text", (row) => row.experiment),
      fact("status", "Status", "text", (row) => row.status, (row) => thexp.badge(row.status)),
      fact("started", "Started", "number", (row) => row.started, (row) => thexp.text.time(row.started)),
      fact("seconds", "Duration", "number", seconds, (row) => thexp.text.duration(seconds(row))),
      ...(thexp.sparks.metric
        ? [{ ...fact("", thexp.sparks.metric, "text", () => "", thexp.sparks.holder), sortable: false }] : []),
      ...chosen.params.map((name) => fact(named("params", name), name, kindOf(name), (row) => own(row.params, name))),
      ...chosen.metrics.map((name) => fact(named("metrics", name) + ".last", name, "number", last(name))),
      { ...fact("", "Tags", "text", (row) => row.tags, (row) => chips(row, edit)), sortable: false },
      { ...fact("", "Last note", "text", note, note), sortable: false },
    ];
  };

  // A box of names to tick; `hear(chosen)` is told each change.
  list.chooser = function (hear) {
    const chosen = kept() || { params: [], metrics: [] };
    let untouched = !kept();
    const box = thexp.node("div", { class: "boxes" });
    const filter = thexp.filterBox("Find a column", "name", (text) => draw(text));
    const element = thexp.node("details", { class: "chooser" }, thexp.node("summary", {}, "Columns"),
      thexp.node("div", { class: "body" }, filter.element, box));

    function group(kind, title, text) {
      const fitting = list.names[kind].filter((name) => name.toLowerCase().includes(text.toLowerCase()));
      const ticks = fitting.slice(0, MOST).map((name) =>
        thexp.tick(thexp.text.cut(name, 60), chosen[kind].includes(name), (on) => {
          untouched = false;
          chosen[kind] = on ? [...chosen[kind], name] : chosen[kind].filter((each) => each !== name);
          keep(chosen);
          hear(chosen);
        }));
      const left = fitting.length - ticks.length;
      const more = left > 0 ? thexp.empty(left + " more: type a part of the name") : null;
      return thexp.node("fieldset", {}, thexp.node("legend", {}, title),
        ticks.length ? ticks : thexp.empty("none"), more);
    }

    const draw = (text) =>
      box.replaceChildren(group("params", "Parameters", text || ""), group("metrics", "Metrics, last value", text || ""));
    return {
      element: element, chosen: chosen, draw: draw,
      // the first time: some of what the newest run has
      begin: (row) => {
        if (untouched && row) {
          untouched = false;
          chosen.params = Object.keys(row.params).slice(0, 3);
          chosen.metrics = Object.keys(row.metrics).slice(0, 3);
        }
        draw("");
      },
    };
  };
})((window.thexp = window.thexp || {}));
