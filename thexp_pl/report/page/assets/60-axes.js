// Parameters and metrics as the axes of plots over many runs.
(function (thexp) {
  "use strict";

  const text = thexp.text;
  const LARGEST = 1e300; // plotly draws nothing a little beyond

  // An axis: the place of every run, and the texts beside the axis where numbers do not say it.
  //   {title, values: number | null a run, ticks: [[place, text]...] | null, log}
  thexp.axis = function (column, rows, asked) {
    const raw = rows.map((row) => column.value(row));
    const numbers = raw.map((value) => text.numeric(value));
    const present = raw.filter((value) => value !== undefined && value !== null);
    const numeric = present.length > 0 && present.every((value) => text.numeric(value) !== null);
    if (!numeric) return categories(column, raw);
    const values = numbers.map((value) => (Number.isFinite(value) && Math.abs(value) <= LARGEST ? value : null));
    const finite = values.filter((value) => value !== null);
    const wide = column.group === "Parameters" && finite.length > 1 && Math.min(...finite) > 0 && Math.max(...finite) / Math.min(...finite) >= 30;
    const log = asked === undefined ? wide : asked && finite.some((value) => value > 0);
    if (!log) return { title: column.title, values: values, ticks: null, log: false };
    return { title: column.title, values: values.map((value) => (value > 0 ? Math.log10(value) : null)), ticks: null, log: true };
  };

  function categories(column, raw) {
    const shown = raw.map((value) => (value === undefined ? null : column.told(value)));
    const names = Array.from(new Set(shown.filter((value) => value !== null)));
    names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    const ticks = names.map((name, place) => [place, name]);
    const values = shown.map((value) => (value === null ? null : names.indexOf(value)));
    return { title: column.title, values: values, ticks: ticks, log: false, categories: true };
  }

  function roundTicks(low, high) {
    if (low === high) return [[low, low]];
    const raw = (high - low) / 5;
    const unit = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= raw);
    const ticks = [];
    for (let place = Math.ceil(low / step - 1e-6) * step; place <= high + step / 1e6; place += step) {
      ticks.push([place, Number(place.toPrecision(12))]);
    }
    return ticks;
  }

  // The powers of ten; 2 and 5 between them where there are few.
  function logTicks(low, high) {
    const between = high - low < 3 ? [1, 2, 5] : [1];
    const every = Math.max(1, Math.ceil((high - low) / 8));
    const ticks = [];
    for (let power = Math.floor(low); power <= high; power += every) {
      for (const digit of between) {
        const place = power + Math.log10(digit);
        if (place >= low - 1e-9 && place <= high + 1e-9) ticks.push([place, Number((digit * Math.pow(10, power)).toPrecision(3))]);
      }
    }
    return ticks.length ? ticks : [[low, Math.pow(10, low)]];
  }

  // A dimension of parallel coordinates. What a run does not have lies below all, where the axis says so.
  thexp.dimension = function (axis) {
    const finite = axis.values.filter((value) => value !== null);
    const [low, high] = finite.length ? [Math.min(...finite), Math.max(...finite)] : [0, 1];
    const span = high - low || 1;
    const missing = axis.values.some((value) => value === null);
    const none = low - span * 0.15;
    const numbers = axis.ticks || (axis.log ? logTicks : roundTicks)(low, high).map(([place, value]) => [place, text.number(value)]);
    const many = numbers.length > 24 ? numbers.filter((_, place) => place % Math.ceil(numbers.length / 24) === 0) : numbers;
    const ticks = missing ? [[none, "none"], ...many] : many;
    const label = text.plain(axis.title, 22);
    const bottom = missing ? none : low === high ? low - 0.5 : low;
    return {
      // plotly looks axes up by their labels in an object, which has a __proto__ of its own
      label: label in {} ? label + "\u200b" : label, values: axis.values.map((value) => (value === null ? none : value)),
      range: [bottom, low === high ? high + 0.5 : high],
      tickvals: ticks.map(([place]) => place), ticktext: ticks.map(([, name]) => text.cut(name, 14)), // these alone plotly takes as they are
    };
  };

  // What a scatter's axis looks like in plotly.
  thexp.scatterAxis = function (axis, asked) {
    const layout = { title: { text: text.plain(axis.title, 50), standoff: 8 }, type: asked ? "log" : "linear" };
    if (!axis.ticks) return layout;
    return {
      ...layout, type: "linear", tickmode: "array", range: [-0.5, axis.ticks.length - 0.5],
      tickvals: axis.ticks.map(([place]) => place), ticktext: axis.ticks.map(([, name]) => text.plain(name, 18)),
    };
  };

  // Columns that make an axis: with something to see in them first.
  thexp.axisColumns = function (rows) {
    const present = (column) => rows.some((row) => column.value(row) !== undefined && column.value(row) !== null);
    const kinds = (column) => new Set(rows.map((row) => JSON.stringify(column.value(row)))).size;
    const params = thexp.paramColumns(rows).filter(present);
    const metrics = thexp.metricColumns(rows).filter(present);
    return { params: params, varied: params.filter((column) => kinds(column) > 1), metrics: metrics };
  };
})((window.thexp = window.thexp || {}));
