// The page of one run.
(function (thexp) {
  "use strict";

  const text = thexp.text;

  // Pairs as a list of terms; long ones are folded at the edge of their box.
  function pairs(list) {
    const known = (list || []).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    if (!known.length) return thexp.empty("Nothing was recorded.");
    return thexp.node("dl", { class: "facts" },
      known.map(([name, value]) => thexp.node("div", {}, thexp.node("dt", {}, name), thexp.node("dd", {}, text.value(value)))));
  }

  // Names and values with a box that filters them.
  function named(things, label, nothing, told) {
    const entries = Object.entries(things || {});
    if (!entries.length) return thexp.empty(nothing);
    const columns = [
      { name: "name", title: "name", kind: "text", value: (row) => row[0] },
      { name: "value", title: "value", kind: "text", value: (row) => row[1], node: told ? (row) => told(row[1]) : null },
    ];
    const box = thexp.node("div", {});
    const table = thexp.table(box, columns, entries, { label: label, id: (row) => row[0], empty: "No name fits." });
    const find = thexp.filterBox("Filter " + label, "part of a name or value", (asked) => {
      const part = asked.toLowerCase();
      table.rows(entries.filter(([name, value]) => (name + " " + text.value(value)).toLowerCase().includes(part)));
    });
    return thexp.node("div", {}, thexp.node("div", { class: "controls" }, find.element), box);
  }

  const inFull = (value) => (typeof value === "number" ? String(value) : text.recorded(value));

  function columnsOf(list) {
    return list.map(([name, title, kind, show]) => ({
      name: name, title: title, kind: kind, value: (row) => row[name] ?? undefined, node: show ? (row) => show(row[name], row) : null,
    }));
  }

  function tableOf(columns, rows, label, empty) {
    const box = thexp.node("div", {});
    thexp.table(box, columns, rows || [], { label: label, empty: empty, limit: 100 });
    return box;
  }

  const CHECKPOINTS = columnsOf([
    ["path", "path", "text"], ["kind", "kind", "text"], ["epoch", "epoch", "number"], ["step", "step", "number"],
    ["time", "written", "text", (value) => text.time(value)], ["size", "size", "number", (value) => text.size(value)],
    ["there", "file", "text", (value) => (value ? "there" : "gone")],
    ["metrics", "metrics", "text", (value) => Object.entries(value || {}).map(([name, each]) => name + " " + text.number(each)).join(", ")],
  ]);
  const FILES = columnsOf([
    ["path", "path", "text"], ["event", "event", "text"], ["time", "time", "text", (value) => text.time(value)],
    ["size", "size", "number", (value) => text.size(value)],
  ]);
  const METRICS = columnsOf([
    ["name", "metric", "text"], ["last", "last", "number"], ["min", "min", "number"], ["max", "max", "number"],
    ["mean", "mean", "number"], ["count", "values", "number"], ["nonfinite", "not finite", "number"],
  ]);

  const metricsOf = (metrics) => Object.entries(metrics || {}).map(([name, each]) => ({ name: name, ...each }));

  function notes(detail) {
    return (detail.notes || []).map((note) => {
      const who = [note && note.author, note && text.time(note.time)].filter(Boolean).join(", ");
      return thexp.node("blockquote", {}, thexp.boxed(thexp.wordOf(note), "note"), who ? thexp.node("footer", { class: "note" }, who) : null);
    });
  }

  // What went wrong stands before all else.
  function alarms(detail) {
    const damage = [].concat(detail.damage || []).filter(Boolean);
    const lines = [];
    if (damage.length) lines.push(thexp.node("div", { class: "alarm" }, thexp.node("strong", {}, "Damaged record: "), damage.join("; ")));
    if (detail.cause) lines.push(thexp.node("div", { class: "alarm" }, thexp.node("strong", {}, "How it ended: "), thexp.node("pre", {}, detail.cause)));
    return lines;
  }

  function heading(detail) {
    const tags = (detail.tags || []).map((tag) => thexp.node("span", { class: "tag" }, thexp.wordOf(tag)));
    const when = [text.time(detail.started), text.duration(detail.seconds)].filter(Boolean).join(" · ");
    return [
      thexp.node("h1", { title: detail.key }, detail.key),
      thexp.node("p", { class: "lead" }, thexp.badge(detail.status), " ", thexp.node("span", { class: "where" }, detail.experiment),
        thexp.node("span", { class: "note" }, when), tags),
      ...alarms(detail), ...notes(detail),
    ];
  }

  const filesNote = (detail) => (detail.files_left ? detail.files_left + " older ones are left out" : "");
  const number = (list) => ((list || []).length ? String(list.length) : "");

  // Each section: its address, its title, what of the data it shows, how, and whether it is open.
  const SECTIONS = [
    ["facts", "Facts", (d) => [d.facts, d.ranks], ([facts, ranks]) => [pairs(facts), (ranks || []).length ? thexp.node("h3", {}, "Ranks") : "", (ranks || []).length ? pairs(ranks) : ""], true],
    ["params", "Parameters", (d) => d.params, (params) => [named(params, "parameters", "No parameters were recorded.", inFull)], true],
    ["curves", "Curves", null, null, true],
    ["metrics", "Metrics", (d) => metricsOf(d.metrics), (rows) => [tableOf(METRICS, rows, "metrics", "No metrics were recorded.")], true],
    ["checkpoints", "Checkpoints", (d) => d.checkpoints, (rows) => [tableOf(CHECKPOINTS, rows, "checkpoints", "No checkpoints were written.")], true],
    ["diff", "Difference to its parent", (d) => d.diff, (diff) => [thexp.diff(diff)], true],
    ["files", "File changes", (d) => d.files, (rows) => [tableOf(FILES, rows, "file changes", "No file changes were recorded.")], false],
    ["environment", "Environment", (d) => d.environment, (list) => [pairs(list)], false],
    ["packages", "Packages", (d) => d.packages, (packages) => [named(packages, "packages", "No packages were recorded.")], false],
    ["code", "Code", (d) => [d.code, d.code_left], ([files, left]) => [thexp.code(files || [], left)], false],
    ["log", "Log", (d) => d.log, (log) => [log ? thexp.node("pre", { class: "log scroll", tabindex: "0", role: "region", "aria-label": "log" }, log) : thexp.empty("Nothing was written to the console.")], false],
  ];

  const NOTES = {
    files: filesNote, checkpoints: (d) => number(d.checkpoints), code: (d) => number(d.code),
    params: (d) => number(Object.keys(d.params || {})), packages: (d) => number(Object.keys(d.packages || {})),
  };

  const OF_MANIFEST = ["params", "metrics", "diff", "environment", "packages", "code"];
  const isEmpty = (data) => (Array.isArray(data) ? data.every(isEmpty) : !data || !Object.keys(data).length);

  // A record that cannot be read does not say that there was nothing.
  function shownOf(detail, id, show) {
    return (data) => (detail.damage && OF_MANIFEST.includes(id) && isEmpty(data) ? [thexp.empty("This cannot be told: the record is damaged.")] : show(data));
  }

  // Draw the page of the run in the store; returns what redraws it: (what is newer) -> nothing.
  thexp.runPage = function (element, store) {
    const head = thexp.node("header", { class: "run" });
    const made = SECTIONS.map(([id, title, , , open]) => thexp.section(id, title, { open: open }));
    const shown = new Map();
    const fill = () => {
      const detail = store.detail;
      const told = [detail.key, detail.status, detail.experiment, detail.started, detail.seconds, detail.tags, detail.notes, detail.damage, detail.cause];
      refill(shown, "head", head, told, () => heading(detail));
      SECTIONS.forEach(([id, , pick, show], place) => {
        if (pick) refill(shown, id, made[place].body, pick(detail) ?? null, shownOf(detail, id, show));
        if (NOTES[id]) made[place].note.textContent = NOTES[id](detail);
      });
    };
    element.append(head, thexp.contents(made), ...made.map((each) => each.element));
    fill();
    const curves = thexp.curves(made[2].body, sourceOf(store));
    return (part) => {
      if (part.detail) fill();
      if (part.curves) curves.rename();
      if (part.curves || part.detail) curves.redraw();
    };
  };

  // Fill a body anew where its data are others and nobody is at work in it.
  function refill(shown, id, body, data, show) {
    const now = JSON.stringify(data);
    if (shown.get(id) === now || (shown.has(id) && body.contains(document.activeElement))) return;
    shown.set(id, now);
    body.replaceChildren(...show(data).filter(Boolean));
  }

  function sourceOf(store) {
    const curves = () => store.curves.get(store.detail.id) || new Map();
    return {
      names: () => Array.from(curves().keys()),
      lines: (metric) => {
        const curve = curves().get(metric);
        return curve ? [{ id: store.detail.id, label: metric, curve: curve, ...thexp.lineOf(0) }] : [];
      },
      remarks: () => Array.from(store.faults.values()),
      marks: () => (store.detail.checkpoints || []).map((each) => ({ step: each.step, epoch: each.epoch, text: each.path })),
      hasEpochs: () => Array.from(curves().values()).some((curve) => curve.epoch),
    };
  }
})((window.thexp = window.thexp || {}));
