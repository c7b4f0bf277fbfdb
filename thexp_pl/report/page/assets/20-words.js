// The box that filters runs: lr<0.1 acc>0.9 status:finished any words
(function (thexp) {
  "use strict";

  const TERM = /^([^<>=!:"]+)(<=|>=|!=|<|>|=|:)(.*)$/;
  const FACTS = ["key", "experiment", "status", "commit", "python", "host", "parent", "root", "command", "code"];

  // All that a term can ask for, by its full name: {full, name: without its kind, value(row)}.
  thexp.fields = function (rows) {
    const fields = new Map();
    const add = (kind, name, value) => {
      const full = kind + "." + name;
      if (!fields.has(full)) fields.set(full, { full: full, name: name, value: value });
    };
    for (const name of FACTS) add("run", name, (row) => row[name]);
    add("run", "seconds", (row) => row.seconds);
    add("run", "tags", (row) => (row.tags || []).map(wordOf).join(" "));
    add("run", "notes", (row) => (row.notes || []).map(wordOf).join(" "));
    for (const row of rows) {
      for (const name of Object.keys(row.params || {})) add("params", name, (each) => own(each.params, name));
    }
    for (const row of rows) {
      for (const name of Object.keys(row.metrics || {})) {
        add("metrics", name, (each) => (own(each.metrics, name) || {}).last);
        for (const part of ["last", "min", "max", "mean"]) {
          add("metrics", name + "." + part, (each) => (own(each.metrics, name) || {})[part]);
        }
      }
    }
    return fields;
  };

  // A tag or a note as its text.
  const wordOf = (thexp.wordOf = (each) => (each && typeof each === "object" ? each.text || "" : String(each)));

  // A text of someone's own: a long one scrolls in a box.
  thexp.boxed = function (words, label) {
    const long = words.length > 1000 || words.split("\n").length > 20;
    return thexp.node("div", long ? { class: "long", tabindex: "0", role: "region", "aria-label": label } : {}, words);
  };

  const own = (thexp.own = (things, name) => (things && Object.hasOwn(things, name) ? things[name] : undefined));

  // The words of the box: "two words" stay together.
  function split(text) {
    return (text.match(/(?:[^\s"]|"[^"]*"?)+/g) || []).map((word) => word.trim()).filter(Boolean);
  }

  function fieldOf(fields, name) {
    if (fields.has(name)) return fields.get(name);
    const all = Array.from(fields.values());
    const same = all.filter((each) => each.name === name);
    const end = new RegExp("(^|[./_])" + quoted(name.toLowerCase()) + "$");
    const found = same.length ? same : all.filter((each) => end.test(each.name.toLowerCase()));
    if (found.length === 1) return found[0];
    if (found.length > 1) return { fault: name + " may be " + found.slice(0, 4).map((each) => each.full).join(", ") };
    return { fault: "no column is named " + name };
  }

  const quoted = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

  const bare = (text) => text.replaceAll('"', "");

  function compared(sign, asked) {
    const limit = asked.trim() === "" ? NaN : Number(asked);
    const word = asked.toLowerCase();
    const has = (value) => value !== undefined && value !== null;
    const same = (value) => {
      const number = thexp.text.numeric(value);
      if (number !== null && !Number.isNaN(limit)) return number === limit;
      return thexp.text.value(value).toLowerCase() === word;
    };
    const tests = {
      "<": (value) => thexp.text.numeric(value) < limit,
      "<=": (value) => thexp.text.numeric(value) <= limit,
      ">": (value) => thexp.text.numeric(value) > limit,
      ">=": (value) => thexp.text.numeric(value) >= limit,
      "=": same,
      "!=": (value) => !same(value),
      ":": (value) => thexp.text.value(value).toLowerCase().includes(word),
    };
    if ("<>".includes(sign[0]) && Number.isNaN(limit)) return null;
    const test = tests[sign];
    const numeric = "<>".includes(sign[0]);
    return (value) => has(value) && (!numeric || thexp.text.numeric(value) !== null) && test(value);
  }

  function haystack(row) {
    const words = FACTS.map((name) => row[name]).concat((row.tags || []).map(wordOf), (row.notes || []).map(wordOf));
    const params = Object.entries(row.params || {}).map(([name, value]) => name + "=" + thexp.text.value(value));
    return words.concat(params).filter(Boolean).join("\n").toLowerCase();
  }

  function testOf(fields, word) {
    const found = TERM.exec(word);
    if (!found) {
      const asked = bare(word).toLowerCase();
      return { test: (row) => haystack(row).includes(asked) };
    }
    const [, name, sign, rest] = found;
    const field = fieldOf(fields, bare(name));
    if (field.fault) return { fault: field.fault };
    const test = compared(sign, bare(rest));
    if (!test) return { fault: name + sign + " wants a number" };
    return { test: (row) => test(field.value(row)) };
  }

  // What the box asks for: {test(row), fault: "" or one line}. A term that is not understood counts as none.
  thexp.asked = function (rows, text) {
    const fields = thexp.fields(rows);
    const terms = split(text).map((word) => testOf(fields, word));
    const faults = terms.filter((term) => term.fault).map((term) => term.fault);
    const tests = terms.filter((term) => term.test).map((term) => term.test);
    return { test: (row) => tests.every((test) => test(row)), fault: faults.join("; ") };
  };

  // Call back when the box has been still for a moment.
  thexp.filterBox = function (label, hint, hear) {
    let waiting = 0;
    const box = thexp.node("input", { type: "search", placeholder: hint, spellcheck: "false", autocomplete: "off" });
    box.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => hear(box.value), 120);
    });
    return { element: thexp.label(label, box), box: box };
  };
})((window.thexp = window.thexp || {}));
