// The list of all runs: what the server gives of them, page by page, and asked again while they go.
(function (thexp) {
  "use strict";

  const SIZE = 50; // rows of a page

  const list = (thexp.list = {
    text: "", sort: "", reverse: true, skip: 0, until: null, kept: {}, chosen: new Set(), rows: new Map(),
    size: SIZE, names: { params: [], metrics: [] },
  });

  list.address = function () {
    const asked = new URLSearchParams({ text: list.text, skip: list.skip, limit: list.size });
    if (list.sort) asked.set("sort", list.sort);
    if (list.reverse) asked.set("reverse", "1");
    if (list.until !== null) asked.set("until", list.until);
    return "/api/rows?" + asked;
  };

  // Ask for the rows; answers that came too late for what is asked by now are passed over.
  list.load = async function () {
    const address = list.address();
    const found = await thexp.ask(address, list.kept);
    if (address !== list.address()) return;
    list.say(found.error || "", found.error && !found.lost ? "fault" : "");
    list.view.busy(false);
    if (found.error) return;
    list.until = found.until;
    if (!found.any || (found.newer && !found.total && !list.text)) list.until = null;
    list.view.rows = found.rows.map(list.same);
    list.view.show(found);
  };

  // The row as it was before where nothing of it has changed: its line stays as it is.
  list.same = function (row) {
    const text = JSON.stringify(row);
    const old = list.rows.get(row.id);
    if (old && old.text === text) return old.row;
    list.rows.set(row.id, { text: text, row: row });
    return row;
  };

  // Ask anew, from the first page on.
  list.restart = function (changes) {
    Object.assign(list, { skip: 0, until: null, kept: {} }, changes);
    list.view.busy(true);
    return list.load();
  };

  list.turn = function (pages) {
    list.skip = Math.max(0, list.skip + pages * list.size);
    list.kept = {};
    return list.load();
  };

  list.say = function (text, kind) {
    list.view.line.textContent = thexp.shown(text);
    list.view.line.className = "line " + (kind || "");
  };

  // Change tags and notes, and see that; a line where it is refused.
  list.edit = async function (id, change) {
    const found = await thexp.change(id, change);
    if (!found.error) await list.load();
    return found.error || "";
  };
})((window.thexp = window.thexp || {}));
