// Where a page begins, and where what is newer reaches it.
(function (thexp) {
  "use strict";

  let store = null;
  let redraw = () => {};

  // Take curves into the store: whole ones, or what was added to them.
  function take(curves) {
    for (const [id, data] of Object.entries(curves || {})) {
      // a run that went on from a checkpoint has lost what came after it: then all is given anew
      if (!store.curves.has(id) || store.wentBack.get(id) !== data.went_back) store.curves.set(id, new Map());
      store.wentBack.set(id, data.went_back);
      if (data.fault) store.faults.set(id, data.fault);
      else store.faults.delete(id);
      const known = store.curves.get(id);
      for (const [metric, raw] of Object.entries(data.curves || {})) {
        known.set(metric, thexp.joined(known.get(metric), thexp.curve(raw)));
      }
    }
  }

  function takeRows(rows) {
    const newer = new Map(rows.map((row) => [row.id, row]));
    store.rows = store.rows.map((row) => newer.get(row.id) || row);
    const known = new Set(store.rows.map((row) => row.id));
    store.rows.push(...rows.filter((row) => !known.has(row.id)));
  }

  // Draw the page of this data into #page (docs of the data: thexp_pl.report.page).
  thexp.start = function (data) {
    const page = document.getElementById("page");
    store = {
      rows: data.rows || [], differs: data.differs, detail: data.detail, title: data.title, left: data.curves_left || 0,
      away: data.curves_away || 0,
      curves: new Map(), wentBack: new Map(), faults: new Map(), known: new Set(),
    };
    store.known = new Set(store.rows.map((row) => row.id));
    take(data.curves);
    const bar = thexp.node("div", { class: "top" }, thexp.node("span", { class: "note" }, madeBy(data)), thexp.themeButton());
    page.replaceChildren(bar);
    redraw = data.page === "run" && data.detail ? thexp.runPage(page, store) : thexp.runsPage(page, store);
    window.addEventListener("hashchange", thexp.follow);
    thexp.follow();
  };

  function madeBy(data) {
    const version = data.version ? "thexp_pl " + data.version : "thexp_pl";
    return data.live ? version + ", live" : data.made ? version + ", made " + data.made : version;
  }

  // Show what is newer, {rows, curves, detail}: zoom, filters, order and focus stay.
  thexp.update = function (part) {
    if (part.rows) takeRows(part.rows);
    if (part.curves) take(part.curves);
    if (part.detail) store.detail = part.detail;
    redraw(part);
    store.known = new Set(store.rows.map((row) => row.id));
  };
})((window.thexp = window.thexp || {}));
