// The pages of one run and of several, kept fresh.
(function (thexp) {
  "use strict";

  const ENDED = ["finished", "failed", "interrupted"];
  const start = thexp.start;

  thexp.runUrl = (id) => "/run/" + id;

  thexp.start = function (data) {
    const page = document.getElementById("page");
    if (data.page === "list") return thexp.startList(page);
    if (data.page === "fault") {
      page.replaceChildren(thexp.node("h1", {}, "Nothing here"), thexp.node("p", { class: "empty" }, data.why), home());
      return null;
    }
    start(data);
    const line = thexp.node("p", { class: "line", role: "status" });
    const top = page.querySelector(".top");
    top.prepend(home());
    top.after(line);
    const live = liveOf(data, line);
    if (data.page === "run") editing(live, top, line);
    live.again = thexp.repeat(() => ask(live));
    return null;
  };

  const home = () => thexp.node("a", { href: "/", class: "home" }, "All runs");

  // What the page has, by the ids of its runs.
  function liveOf(data, line) {
    const had = new Map();
    for (const [id, curves] of Object.entries(data.curves)) {
      had.set(id, { rows: curves.rows || 0, back: curves.went_back || 0 });
    }
    const rows = new Map(data.rows.map((row) => [row.id, JSON.stringify(row)]));
    return { had: had, rows: rows, detail: data.detail, row: data.rows[0], line: line, kept: {}, hear: () => {} };
  }

  function addressOf(live) {
    const had = Array.from(live.had);
    const asked = new URLSearchParams({
      ids: had.map(([id]) => id).join(","), after: had.map(([, each]) => each.rows).join(","),
      back: had.map(([, each]) => each.back).join(","),
    });
    // what is known of a run that has ended changes no more, but for what is in its row
    if (live.detail && (live.changed || !ENDED.includes(live.detail.status))) asked.set("detail", "1");
    return "/api/curves?" + asked;
  }

  async function ask(live) {
    const address = addressOf(live);
    if (live.address !== address) [live.address, live.kept] = [address, {}];
    const before = live.kept.value;
    const found = await thexp.ask(address, live.kept);
    if (found.error) {
      live.line.textContent = thexp.shown(found.error);
      return;
    }
    live.line.textContent = found.gone.length ? "gone since this page was opened: " + found.gone.length + " of its runs" : "";
    if (found !== before) take(live, found);
  }

  function take(live, found) {
    for (const [id, curves] of Object.entries(found.curves)) {
      live.had.set(id, { rows: curves.rows, back: curves.went_back });
    }
    const rows = found.rows.filter((row) => live.rows.get(row.id) !== JSON.stringify(row));
    rows.forEach((row) => live.rows.set(row.id, JSON.stringify(row)));
    live.changed = rows.length > 0 && !found.detail;
    if (rows.length) [live.row] = rows;
    const part = {};
    if (rows.length) part.rows = rows;
    if (Object.keys(found.curves).length) part.curves = found.curves;
    if (found.detail) part.detail = live.detail = { ...live.detail, ...found.detail };
    if (Object.keys(part).length) thexp.update(part);
    live.hear(rows);
  }

  // The button and panel that change the tags and notes of the run of this page.
  function editing(live, top, line) {
    const editor = thexp.editor(async (id, change) => {
      const found = await thexp.change(id, change);
      if (!found.error) {
        live.changed = true;
        await ask(live);
      }
      return found.error || "";
    });
    const button = thexp.node("button", { type: "button", onclick: () => editor.open(live.row, button) }, "Tags and notes");
    live.hear = editor.refresh;
    top.insertBefore(button, top.lastElementChild);
    line.after(editor.element);
  }
})((window.thexp = window.thexp || {}));
