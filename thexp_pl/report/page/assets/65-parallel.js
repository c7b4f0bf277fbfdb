// Parallel coordinates, and the scatter of one column against another.
(function (thexp) {
  "use strict";

  const text = thexp.text;

  function choiceOf(label, columns, chosen, hear) {
    const options = columns.map((column) => [column.name, text.cut(column.title, 40)]);
    return thexp.choice(label, options, chosen, hear);
  }

  const FEW = 8; // axes that are shown before anyone chooses
  const NO_RUN = "No run is chosen.";
  // as lines have dashes where the colours come again
  const SYMBOLS = { solid: "circle", dash: "square", dot: "diamond", dashdot: "cross" };

  // Put parallel coordinates into an element. source: {rows(): those shown}; returns {redraw()}.
  thexp.parallel = function (element, rows, source) {
    const { params, varied, metrics } = thexp.axisColumns(rows);
    const lasts = metrics.filter((column) => column.part === "last");
    if (!lasts.length && !params.length) return nothing(element, "There are no parameters and no metrics.");
    if (!thexp.hasWebGL()) return nothing(element, "Parallel coordinates need WebGL, which this browser does not have or has switched off.");
    const columns = params.concat(metrics);
    const shown = new Set((varied.length ? varied : params).slice(0, FEW - 2).concat(lasts.slice(0, 2)).map((column) => column.name));
    const state = { colour: (lasts[0] || columns[0]).name };
    const holder = thexp.node("div", { class: "plot tall", role: "group", "aria-label": "Parallel coordinates of the runs; the table above has the numbers." });
    const note = thexp.node("p", { class: "note" });
    const plot = thexp.plot(holder, () => parallelFigure(columns, shown, state, source.rows(), note));
    const colour = choiceOf("Colour", lasts.concat(params), state.colour, (name) => {
      state.colour = name;
      plot.redraw();
    });
    const chooser = thexp.columnChooser(columns, shown, plot.redraw);
    chooser.firstChild.textContent = "Axes";
    element.append(thexp.node("div", { class: "controls" }, colour, chooser), thexp.node("div", { class: "scroll wide" }, holder), note);
    return { redraw: plot.redraw };
  };

  function nothing(element, line) {
    element.append(thexp.empty(line));
    return { redraw: () => {} };
  }

  function nothingDrawn(note, line) {
    note.textContent = "";
    return { empty: line };
  }

  function parallelFigure(columns, shown, state, rows, note) {
    const chosen = columns.filter((column) => shown.has(column.name));
    if (!rows.length || !chosen.length) return nothingDrawn(note, rows.length ? "No axis is chosen." : NO_RUN);
    const axes = chosen.map((column) => thexp.axis(column, rows));
    const colour = thexp.axis(columns.find((column) => column.name === state.colour), rows);
    const known = colour.values.filter((value) => value !== null);
    const said = [axes.some((axis) => axis.log) ? "Axes that reach over a factor of 30 or more are logarithmic." : ""];
    if (axes.some((axis) => axis.values.includes(null))) said.push("“none”: a run has no such value, or none that can be drawn.");
    note.textContent = said.filter(Boolean).join(" ");
    const low = known.length ? Math.min(...known) : 0;
    const line = {
      color: colour.values.map((value) => (value === null ? low : value)), colorscale: thexp.scale(), showscale: known.length > 0,
      cmin: low, cmax: known.length ? Math.max(...known) : 1, colorbar: barOf(colour, known),
    };
    const trace = { type: "parcoords", line: line, dimensions: axes.map(thexp.dimension), labelfont: { size: 12 }, tickfont: { size: 11 } };
    return { data: [trace], layout: { margin: { l: 70, r: 30, t: 44, b: 16 } } };
  }

  function barOf(axis, known) {
    const bar = { title: { text: text.plain(axis.title, 20), side: "right" }, thickness: 12 };
    if (axis.ticks) {
      return { ...bar, tickvals: axis.ticks.map(([place]) => place), ticktext: axis.ticks.map(([, name]) => text.plain(name, 14)) };
    }
    if (!axis.log || !known.length) return bar;
    const dimension = thexp.dimension({ ...axis, values: known });
    return { ...bar, tickvals: dimension.tickvals, ticktext: dimension.ticktext.map((name) => text.plain(name, 14)) };
  }

  // Put a scatter into an element. source: {rows(), line(id), label(row)}; returns {redraw()}.
  thexp.scatter = function (element, rows, source) {
    const { params, varied, metrics } = thexp.axisColumns(rows);
    const columns = params.concat(metrics);
    if (columns.length < 2) return nothing(element, "There are too few parameters and metrics for a scatter.");
    const first = varied[0] || params[0] || metrics[0];
    const second = metrics.find((column) => column.part === "last" && column !== first) || columns.find((column) => column !== first);
    const state = { x: first.name, y: second.name, logx: thexp.axis(first, rows).log, logy: false };
    const holder = thexp.node("div", { class: "plot tall", role: "group", "aria-label": "Scatter of the runs; the table above has the numbers." });
    const note = thexp.node("p", { class: "note" });
    const plot = thexp.plot(holder, () => scatterFigure(columns, state, source, note));
    const set = (name) => (value) => {
      state[name] = value;
      plot.redraw();
    };
    element.append(
      thexp.node("div", { class: "controls" }, choiceOf("x", columns, state.x, set("x")), choiceOf("y", columns, state.y, set("y")),
        thexp.tick("Log x", state.logx, set("logx")), thexp.tick("Log y", state.logy, set("logy"))),
      holder, note);
    return { redraw: plot.redraw };
  };

  function scatterFigure(columns, state, source, note) {
    const rows = source.rows();
    const [x, y] = [state.x, state.y].map((name) => thexp.axis(columns.find((column) => column.name === name), rows, false));
    const [logx, logy] = [state.logx && !x.ticks, state.logy && !y.ticks];
    const fits = (value, log) => value !== null && (!log || value > 0);
    const places = rows.map((_, place) => place).filter((place) => fits(x.values[place], logx) && fits(y.values[place], logy));
    if (!places.length) return nothingDrawn(note, rows.length ? "No run that is chosen has both values." : NO_RUN);
    const left = rows.length - places.length;
    note.textContent = left ? left + (left === 1 ? " run has" : " runs have") + " no value that can be drawn here." : "";
    const lines = places.map((place) => source.line(rows[place].id) || thexp.lineOf(0));
    const trace = {
      type: "scatter", mode: "markers", x: places.map((place) => x.values[place]), y: places.map((place) => y.values[place]),
      text: places.map((place) => hoverOf(columns, state, rows[place], source.label(rows[place]))), hovertemplate: "%{text}<extra></extra>",
      marker: { size: 10, color: lines.map((line) => line.color), symbol: lines.map((line) => SYMBOLS[line.dash]), line: { width: 1, color: "#8888" } },
    };
    const key = [state.x, state.y, logx, logy].join();
    return { data: [trace], layout: { uirevision: key, margin: { l: 60, r: 16, t: 8, b: 48 }, xaxis: thexp.scatterAxis(x, logx), yaxis: thexp.scatterAxis(y, logy) } };
  }

  function hoverOf(columns, state, row, label) {
    const lines = [state.x, state.y].map((name) => {
      const column = columns.find((each) => each.name === name);
      return text.plain(column.title, 40) + ": " + text.plain(column.told(column.value(row)), 40);
    });
    return [text.plain(label, 80), text.plain(row.experiment, 60), ...lines].join("<br>");
  }
})((window.thexp = window.thexp || {}));
