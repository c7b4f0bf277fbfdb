// The columns that a table of runs can have, and which of them are shown at first.
(function (thexp) {
  "use strict";

  const text = thexp.text;
  const PARTS = ["last", "min", "max"];
  const words = (list) => (list || []).map(thexp.wordOf).join(", ");

  function fact(name, title, kind, value, node) {
    return { name: "fact " + name, title: title, group: "Facts", kind: kind, value: value || ((row) => row[name] ?? undefined), node: node };
  }

  // The key of a run, with its colour where it has one.
  function keyNode(lines) {
    return (row) => {
      const line = lines(row.id);
      const url = thexp.runUrl ? thexp.runUrl(row.id) : null;
      const key = thexp.node(url ? "a" : "span", { href: url, class: "cell", title: row.key }, row.key);
      return thexp.node("span", { class: "key" }, line ? thexp.swatch(line) : null, key);
    };
  }

  function facts(lines) {
    return [
      fact("key", "key", "text", null, keyNode(lines)),
      fact("status", "status", "text", null, (row) => thexp.badge(row.status)),
      fact("experiment", "experiment", "text"),
      fact("started", "started", "number", null, (row) => text.time(row.started)),
      fact("seconds", "duration", "number", null, (row) => text.duration(row.seconds)),
      fact("tags", "tags", "text", (row) => words(row.tags) || undefined),
      fact("notes", "notes", "text", (row) => words(row.notes) || undefined),
      ...["commit", "python", "host", "parent", "root", "command", "damage"].map((name) =>
        fact(name, name, "text", (row) => (row[name] ? String(row[name]) : undefined))),
    ];
  }

  // All names of a field of the rows, in the order in which they are first met.
  function namesOf(rows, field) {
    return Array.from(new Set(rows.flatMap((row) => Object.keys(row[field] || {}))));
  }

  // A column of what runs recorded: told(value) gives values that differ as texts that differ.
  function recorded(rows, column) {
    let told = null;
    const tell = (value) => {
      told = told || text.apart(rows.map(column.value));
      return told(value);
    };
    return { ...column, told: tell, node: (row) => tell(column.value(row)) };
  }

  // Of names that are given once the name, of others with its kind: "lr", but "params.loss" and "metrics.loss".
  thexp.titles = function (named) {
    const counts = new Map();
    for (const [, name] of named) counts.set(name, (counts.get(name) || 0) + 1);
    return named.map(([kind, name]) => (kind && counts.get(name) > 1 ? kind + "." + name : name));
  };

  const wordOf = (name, part) => (part === "last" ? name : name + " " + part);

  // What gives a parameter or a metric its title among all columns of these rows.
  function titling(rows) {
    const named = facts().map((column) => ["", column.title]);
    namesOf(rows, "params").forEach((name) => named.push(["params", name]));
    namesOf(rows, "metrics").forEach((name) => PARTS.forEach((part) => named.push(["metrics", wordOf(name, part)])));
    const titles = thexp.titles(named);
    const known = new Map(named.map(([kind, name], place) => [kind + " " + name, titles[place]]));
    return (kind, name) => known.get(kind + " " + name);
  }

  thexp.paramColumns = function (rows) {
    const titleOf = titling(rows);
    return namesOf(rows, "params").map((name) => {
      const value = (row) => thexp.own(row.params, name);
      const numeric = rows.every((row) => value(row) === undefined || value(row) === null || text.numeric(value(row)) !== null);
      const kind = numeric ? "number" : "text";
      return recorded(rows, { name: "param " + name, title: titleOf("params", name), group: "Parameters", kind: kind, value: value });
    });
  };

  // Of every metric its last, least and greatest value; those without a prefix come first.
  thexp.metricColumns = function (rows) {
    const names = namesOf(rows, "metrics").sort((a, b) => a.includes("/") - b.includes("/"));
    const titleOf = titling(rows);
    return names.flatMap((name) => PARTS.map((part) => recorded(rows, {
      name: "metric " + name + " " + part, title: titleOf("metrics", wordOf(name, part)), group: "Metrics",
      part: part, kind: "number", value: (row) => (thexp.own(row.metrics, name) || {})[part],
    })));
  };

  const kindsOf = (rows, column) => new Set(rows.map((row) => JSON.stringify(column.value(row)))).size;

  // {all, first: the names of those that are shown before anyone chooses}
  thexp.columnsOf = function (rows, lines) {
    const [own, params, metrics] = [facts(lines), thexp.paramColumns(rows), thexp.metricColumns(rows)];
    const told = own.filter((column) => {
      if (["key", "status", "started", "duration"].includes(column.title)) return true;
      return ["experiment", "root", "tags", "damage"].includes(column.title) && kindsOf(rows, column) > 1;
    });
    const varied = params.filter((column) => kindsOf(rows, column) > 1);
    const first = told.concat(varied.slice(0, 8), metrics.filter((column) => column.part === "last").slice(0, 6));
    return { all: own.concat(params, metrics), first: new Set(first.map((column) => column.name)) };
  };

  // A folded list of boxes that choose columns: `shown` is a set of names, changed in place.
  thexp.columnChooser = function (columns, shown, hear) {
    const groups = new Map();
    for (const column of columns) {
      if (!groups.has(column.group)) groups.set(column.group, []);
      groups.get(column.group).push(thexp.tick(column.title, shown.has(column.name), (ticked) => {
        if (ticked) shown.add(column.name);
        else shown.delete(column.name);
        hear();
      }));
    }
    const sets = Array.from(groups).map(([title, boxes]) =>
      thexp.node("fieldset", {}, thexp.node("legend", {}, title), boxes));
    return thexp.node("details", { class: "chooser" }, thexp.node("summary", {}, "Columns"), thexp.node("div", { class: "boxes" }, sets));
  };
})((window.thexp = window.thexp || {}));
