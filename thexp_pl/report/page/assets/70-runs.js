// The page of several runs: a table, and plots of what is chosen in it.
(function (thexp) {
  "use strict";

  const LEGEND = 40; // runs that a legend still helps with

  // What is chosen, and what follows from it.
  function choiceOf(store) {
    const slots = thexp.Slots();
    const choice = { chosen: new Set(store.rows.map((row) => row.id)), asked: "", group: "", fault: "" };
    choice.settle = () => {
      choice.labels = thexp.labels(store.rows);
      choice.columns = thexp.paramColumns(store.rows);
      const asked = thexp.asked(store.rows, choice.asked);
      choice.fault = asked.fault;
      choice.found = store.rows.filter(asked.test);
      choice.shown = choice.found.filter((row) => choice.chosen.has(row.id));
      choice.slots = choice.shown.length > thexp.MANY ? new Map() : slots(choice.shown.map((row) => row.id));
      choice.groups = groupsOf(choice);
    };
    choice.line = (id) => (choice.slots.has(id) ? thexp.lineOf(choice.slots.get(id)) : null);
    choice.settle();
    return choice;
  }

  // The groups of the runs that are shown, by the value of a parameter.
  function groupsOf(choice) {
    const groups = new Map();
    if (!choice.group) return groups;
    const { title, value: valueOf, told } = choice.columns.find((column) => column.name === choice.group);
    const labelOf = (row) => title + (valueOf(row) === undefined ? " is not set" : " = " + told(valueOf(row)));
    const ordered = choice.shown.slice().sort((a, b) => thexp.text.order(valueOf(a), valueOf(b)).by);
    const known = Array.from(new Set(ordered.map(labelOf)));
    choice.shown.forEach((row) => groups.set(row.id, { label: labelOf(row), slot: known.indexOf(labelOf(row)) }));
    return groups;
  }

  const without = (count) => (count === 1 ? "1 run has" : count + " runs have") + " no curves here: ";

  function sourceOf(store, choice) {
    const groupOf = (id) => {
      const group = choice.groups.get(id);
      return group ? { ...group, ...thexp.lineOf(group.slot) } : null;
    };
    return {
      rows: () => choice.shown,
      line: (id) => groupOf(id) || choice.line(id),
      label: (row) => choice.labels.get(row.id),
      marks: () => [],
      remarks: () => [
        store.left ? without(store.left) + "the page would be too large." : "",
        store.away ? without(store.away) + "their files are on other machines." : "",
        ...Array.from(store.faults.values()),
      ].filter(Boolean),
      names: () => {
        const names = new Set(store.rows.flatMap((row) => Array.from((store.curves.get(row.id) || new Map()).keys())));
        return Array.from(names);
      },
      lines: (metric) => choice.shown.filter((row) => store.curves.has(row.id) && store.curves.get(row.id).has(metric)).map((row) => ({
        id: row.id, label: choice.labels.get(row.id), curve: store.curves.get(row.id).get(metric), group: groupOf(row.id),
        ...(choice.line(row.id) || { color: "#888888", dash: "solid" }),
      })),
      hasEpochs: () => Array.from(store.curves.values()).some((curves) => Array.from(curves.values()).some((curve) => curve.epoch)),
    };
  }

  // The legend: a button a run that hides and shows it, or a line a group.
  function drawLegend(element, choice, changed) {
    if (choice.group) {
      const groups = new Map(Array.from(choice.groups.values()).map((group) => [group.label, group.slot]).sort((a, b) => a[1] - b[1]));
      element.replaceChildren(...Array.from(groups).map(([label, slot]) =>
        thexp.node("span", { class: "chip" }, thexp.swatch(thexp.lineOf(slot)), thexp.node("span", { class: "cell", title: label }, label))));
      return;
    }
    if (choice.found.length > LEGEND || choice.shown.length > thexp.MANY) {
      element.replaceChildren(thexp.node("p", { class: "note" },
        choice.shown.length + " runs are shown. Filter or untick some in the table: up to " + thexp.MANY + " have colours of their own."));
      return;
    }
    const old = new Map(Array.from(element.children).map((chip) => [chip.dataset.run, chip]));
    const focused = document.activeElement && element.contains(document.activeElement) ? document.activeElement.dataset.run : null;
    element.replaceChildren(...choice.found.map((row) => chipOf(choice, row, changed)));
    if (focused && old.has(focused)) element.querySelector('[data-run="' + CSS.escape(focused) + '"]').focus({ preventScroll: true });
  }

  function chipOf(choice, row, changed) {
    const shown = choice.chosen.has(row.id);
    const toggle = () => {
      if (choice.chosen.has(row.id)) choice.chosen.delete(row.id);
      else choice.chosen.add(row.id);
      changed();
    };
    const label = choice.labels.get(row.id);
    const set = { type: "button", class: "chip", "data-run": row.id, "aria-pressed": String(shown), title: label, onclick: toggle };
    const line = choice.line(row.id) || { color: "#888888", dash: "dot" };
    return thexp.node("button", set, thexp.swatch(line), thexp.node("span", { class: "cell" }, label));
  }

  // The table of runs with its filter, its columns and its count.
  function runsTable(body, store, choice, changed) {
    const { all, first } = thexp.columnsOf(store.rows, (id) => (choice.group ? null : choice.line(id)));
    const shown = () => all.filter((column) => first.has(column.name));
    const count = thexp.node("p", { class: "note", role: "status" });
    const box = thexp.node("div", {});
    const find = thexp.filterBox("Filter", "lr<0.1 acc>0.9 status:finished words", (asked) => {
      choice.asked = asked;
      changed();
    });
    const chooser = thexp.columnChooser(all, first, () => table.columns(shown()));
    body.append(thexp.node("div", { class: "controls" }, find.element, chooser), count, box);
    const table = thexp.table(box, shown(), choice.found, {
      label: "runs", id: (row) => row.id, nameOf: (row) => choice.labels.get(row.id), chosen: choice.chosen, onchoose: changed,
      empty: "No run fits the filter.", limit: 200,
      rowClass: (row) => (choice.chosen.has(row.id) ? null : "off"),
    });
    return () => {
      const runs = store.rows.length === 1 ? " run" : " runs";
      count.textContent = [choice.shown.length + " of " + store.rows.length + runs + " shown.", thexp.shown(choice.fault)].filter(Boolean).join(" ");
      find.box.setAttribute("aria-invalid", String(Boolean(choice.fault)));
      table.rows(choice.found);
      table.refresh();
    };
  }

  function groupBox(store, choice, changed) {
    const names = thexp.axisColumns(store.rows).varied.map((column) => [column.name, thexp.text.cut(column.title, 40)]);
    return thexp.choice("Group by", [["", "nothing"], ...names], "", (name) => {
      choice.group = name;
      changed();
    });
  }

  // Draw the page of the runs in the store; returns what redraws it.
  thexp.runsPage = function (element, store) {
    element.append(thexp.node("header", { class: "run" }, thexp.node("h1", {}, store.title || "Runs")));
    if (!store.rows.length) {
      element.append(thexp.empty("There are no runs here."));
      return () => {};
    }
    const choice = choiceOf(store);
    const sections = [["runs", "Runs"], ["curves", "Curves"], ["parallel", "Parallel coordinates"], ["scatter", "Scatter"], ["differs", "What differs"]]
      .map(([id, title]) => thexp.section(id, title));
    const [runs, curves, parallel, scatter, differs] = sections.map((each) => each.body);
    element.append(thexp.contents(sections), ...sections.map((each) => each.element));
    const source = sourceOf(store, choice);
    const legend = thexp.node("div", { class: "legend" });
    const changed = () => {
      choice.settle();
      drawRows();
      drawLegend(legend, choice, changed);
      parts.forEach((part) => part.redraw());
    };
    const drawRows = runsTable(runs, store, choice, changed);
    curves.append(thexp.node("div", { class: "controls" }, groupBox(store, choice, changed)), legend);
    const parts = [thexp.curves(curves, source), thexp.parallel(parallel, store.rows, source), thexp.scatter(scatter, store.rows, source)];
    thexp.differs(differs, store);
    changed();
    thexp.onTheme(changed);
    return (part) => {
      if (part.rows) part.rows.filter((row) => !store.known.has(row.id)).forEach((row) => choice.chosen.add(row.id));
      parts[0].rename();
      changed();
    };
  };
})((window.thexp = window.thexp || {}));
