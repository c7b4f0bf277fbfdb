// What differs between runs, the best of each column marked.
(function (thexp) {
  "use strict";

  const KINDS = { fact: "", param: "params", metric: "metrics" };

  // A mark that is a sign and a word, so that colour says nothing alone.
  function best(value) {
    const word = thexp.node("span", { class: "unseen" }, " (best)");
    return thexp.node("strong", { class: "best" }, value, thexp.node("span", { "aria-hidden": "true" }, " ★"), word);
  }

  // Put the table into an element: a line a run, a column for each thing in which they differ.
  thexp.differs = function (element, store) {
    const { differs } = store;
    if (!differs || !differs.columns || !differs.columns.length) {
      element.append(thexp.empty(store.rows.length > 1 ? "Nothing differs between these runs." : "There is one run; nothing to compare it with."));
      return;
    }
    const labels = thexp.labels(store.rows);
    const rows = store.rows.slice(0, differs.values.length).map((row, place) => ({ key: labels.get(row.id), id: row.id, place: place, values: differs.values[place] }));
    const titles = thexp.titles(differs.columns.map((column) => [KINDS[column.kind], column.title]));
    const columns = differs.columns.map((column, at) => {
      const places = new Set(column.best);
      const value = (row) => (row.values[at] ? row.values[at][0] : undefined); // one that is None is no missing one
      const told = thexp.text.apart(rows.map(value));
      const marked = (row) => (places.has(row.place) ? best(told(value(row))) : told(value(row)));
      return { name: String(at), title: titles[at], kind: column.kind === "metric" ? "number" : "text", value: value, node: marked };
    });
    const key = { name: "key", title: "key", kind: "text", value: (row) => row.key };
    const box = thexp.node("div", {});
    thexp.table(box, [key, ...columns], rows, { label: "what differs", id: (row) => row.id, limit: 200 });
    element.append(thexp.node("p", { class: "note" }, "★ marks the best value of a column."), box);
  };
})((window.thexp = window.thexp || {}));
