// What plotly draws for one metric: a line a run, or a mean and a band a group.
(function (thexp) {
  "use strict";

  const plain = thexp.text.plain;
  // steps as 20k on the axis, and all their digits where they are pointed at
  const COUNTED = { exponentformat: "SI", minexponent: 3, hoverformat: "~f" };
  thexp.MANY = 30; // so many lines can be told apart by colour and dash

  // Points that have no neighbour to be joined with are seen as markers.
  function markersOf(y) {
    const alone = (place) => y[place] !== null && (y[place - 1] ?? null) === null && (y[place + 1] ?? null) === null;
    const sizes = y.map((value, place) => (alone(place) ? 6 : 0));
    if (y.length === 1) return { mode: "markers", marker: { size: 9 } };
    const few = y.length <= 40;
    if (!few && !sizes.some(Boolean)) return { mode: "lines" };
    return { mode: "lines+markers", marker: { size: few ? sizes.map((size) => size || 4) : sizes } };
  }

  function lineTrace(line, x, y, hover) {
    const style = { color: line.color, dash: line.dash, width: line.width || 2 };
    return {
      type: "scatter", x: x, y: y, name: plain(line.label), line: style, opacity: line.opacity || 1,
      connectgaps: false, hovertemplate: hover, ...markersOf(y),
    };
  }

  function tracesOf(line, state, faint) {
    const points = thexp.points(line.curve, state.by);
    const hover = plain(line.label, 80) + "<br>" + axisName([line], state) + " %{x}: %{y:.6g}<extra></extra>";
    const traces = [];
    if (state.smooth > 0 && faint) {
      traces.push({ ...lineTrace({ ...line, opacity: 0.3, width: 1 }, points.x, points.y), hoverinfo: "skip", hovertemplate: undefined });
    }
    const drawn = state.smooth > 0 ? thexp.smoothed(line.curve, state.by, state.smooth) : points;
    traces.push(lineTrace(line, drawn.x, drawn.y, hover));
    if (points.odd.length) traces.push(oddTrace(line, points.odd));
    return traces;
  }

  // Where a value is no number that can be drawn: a cross at the foot of the plot.
  function oddTrace(line, odd) {
    return {
      type: "scatter", mode: "markers", yaxis: "y2", cliponaxis: false, name: plain(line.label),
      x: odd.map(([x]) => x), y: odd.map(() => 0.03),
      text: odd.map(([, value]) => plain(line.label, 80) + ": " + String(value)),
      marker: { symbol: "x-thin", size: 6, opacity: 0.7, line: { width: 2, color: line.color } }, hovertemplate: "%{text}<br>%{x}<extra></extra>",
    };
  }

  // Where a checkpoint was written: a triangle on the x axis.
  function markTrace(marks, by) {
    const there = marks.filter((mark) => Number.isFinite(by === "epoch" ? mark.epoch : mark.step));
    if (!there.length) return [];
    return [{
      type: "scatter", mode: "markers", yaxis: "y2", cliponaxis: false, name: "checkpoints",
      x: there.map((mark) => (by === "epoch" ? mark.epoch : mark.step)), y: there.map(() => 0),
      text: there.map((mark) => plain(mark.text, 80)), hovertemplate: "%{text}<br>%{x}<extra></extra>",
      marker: { symbol: "triangle-up", size: 9, color: "#808080" },
    }];
  }

  function groupTraces(lines, state) {
    const groups = new Map();
    for (const line of lines) {
      if (!groups.has(line.group.label)) groups.set(line.group.label, { ...line.group, curves: [] });
      groups.get(line.group.label).curves.push(thexp.averaged(line.curve, state.by, state.smooth));
    }
    const ordered = Array.from(groups.values()).sort((a, b) => a.slot - b.slot);
    return ordered.flatMap((group) => bandTraces(group, thexp.band(group.curves), lines, state));
  }

  function bandTraces(group, band, lines, state) {
    const name = group.label + " (" + group.curves.length + (group.curves.length === 1 ? " run)" : " runs)");
    const place = (band.about ? "about " : "") + axisName(lines, state) + " %{x}: mean ";
    const hover = plain(name, 80) + "<br>" + place + "%{y:.6g}, %{customdata[0]:.6g} to %{customdata[1]:.6g}%{customdata[2]}<extra></extra>";
    const all = group.curves.length;
    const told = (count) => (count < all ? ", of " + count + " of the " + all + " runs" : "");
    const edge = { type: "scatter", mode: "lines", x: band.x, hoverinfo: "skip", line: { width: 0, color: group.color } };
    return [
      { ...edge, y: band.low },
      { ...edge, y: band.high, fill: "tonexty", fillcolor: group.color + "30" },
      { ...lineTrace({ ...group, label: name }, band.x, band.mean, hover), customdata: band.low.map((low, at) => [low, band.high[at], told(band.count[at])]) },
    ];
  }

  // What the x axis is for these lines.
  function axisName(lines, state) {
    if (state.by === "epoch" && lines.some((line) => line.curve.epoch)) return "epoch";
    return lines.some((line) => line.curve.by === "row") ? "row" : "step";
  }

  // {data, layout} of a metric's plot.
  //   lines: [{id, label, curve, color, dash, group?: {label, slot, color, dash}}], marks: [{step, epoch, text}]
  //   state: {smooth: 0 to 1, log, by: "step" | "epoch"}
  thexp.figure = function (lines, marks, state) {
    if (!lines.length) return { empty: "No run that is chosen has this metric." };
    const grouped = lines.some((line) => line.group);
    const many = !grouped && lines.length > thexp.MANY;
    const drawn = many ? lines.map((line) => ({ ...line, color: "#888888", dash: "solid", width: 1, opacity: 0.6 })) : lines;
    const data = grouped ? groupTraces(lines, state) : drawn.flatMap((line) => tracesOf(line, state, lines.length <= 8));
    data.push(...markTrace(marks, state.by));
    const layout = {
      uirevision: state.by, xaxis: { title: { text: axisName(lines, state), standoff: 4 }, uirevision: state.by, ...COUNTED },
      yaxis: { type: state.log ? "log" : "linear", uirevision: String(state.log) },
    };
    if (data.some((trace) => trace.yaxis)) {
      layout.yaxis2 = { overlaying: "y", range: [0, 1], visible: false, fixedrange: true };
    }
    return { data: data, layout: layout };
  };

  // A grey line that is pointed at comes out in colour.
  thexp.highlight = function (holder) {
    const grey = (place) => (holder.data[place] || { line: {} }).line || {};
    const paint = (event, color, width) => {
      const place = event.points[0].curveNumber;
      if (grey(place).color !== "#888888" && grey(place).color !== "#d55e00") return;
      window.Plotly.restyle(holder, { "line.color": color, "line.width": width }, [place]);
    };
    holder.on("plotly_hover", (event) => paint(event, "#d55e00", 3));
    holder.on("plotly_unhover", (event) => paint(event, "#888888", 1));
  };

  // What must be said below a plot in words.
  thexp.remarks = function (lines, state) {
    const said = [];
    const summaries = lines.map((line) => thexp.summary(line.curve));
    const odd = summaries.reduce((sum, each) => sum + each.odd, 0);
    if (odd) said.push(odd + (odd === 1 ? " value is" : " values are") + " not finite (✕ at the foot).");
    const large = summaries.reduce((sum, each) => sum + each.large, 0);
    if (large) said.push(large + (large === 1 ? " value is" : " values are") + " too large to be drawn (✕ at the foot).");
    if (lines.length && summaries.every((each) => each.min === null)) said.push("There is no finite value.");
    const below = summaries.some((each) => each.min !== null && each.min <= 0);
    if (state.log && below) said.push("Values that are not above 0 are left out of a logarithmic axis.");
    if (!lines.some((line) => line.group) && lines.length > thexp.MANY) {
      said.push(lines.length + " runs: grey; point at a line to see whose it is.");
    }
    if (lines.some((line) => line.group)) said.push(...endings(lines, state));
    const widest = lines.reduce((most, line) => Math.max(most, thexp.widest(line.curve)), 0);
    if (widest && (state.smooth > 0 || lines.some((line) => line.group))) {
      said.push("Smoothing and means of long curves are made from the means of up to " + widest + " neighbouring values.");
    }
    return said.join(" ");
  };

  // Of each group whose runs end at different places, where the mean is that of some of them.
  function endings(lines, state) {
    const groups = new Map();
    for (const line of lines) {
      const { x } = thexp.points(line.curve, state.by);
      if (x.length) groups.set(line.group.label, (groups.get(line.group.label) || []).concat(x[x.length - 1]));
    }
    const apart = Array.from(groups, ([label, ends]) => [label, Math.min(...ends), Math.max(...ends)]).filter(([, low, high]) => low < high);
    const axis = axisName(lines, state);
    return apart.map(([label, low, high]) =>
      "The runs of " + thexp.shown(label) + " end between " + axis + " " + low + " and " + high + ": from there the mean is that of the others.");
  }
})((window.thexp = window.thexp || {}));
