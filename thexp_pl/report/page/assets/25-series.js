// Curves as numbers: reading, smoothing, joining, and groups of them.
(function (thexp) {
  "use strict";

  const MOST = 4000; // points of a curve that a live page keeps
  const LARGEST = 1e300; // plotly leaves out what is larger by far

  // The numbers of a curve; what is no number of JSON came as a text.
  thexp.curve = function (raw) {
    const numbers = (list) => list && list.map((value) => thexp.text.numeric(value));
    const read = (part) => ({ x: numbers(part.x), y: numbers(part.y), epoch: numbers(part.epoch || null) });
    const means = raw.means ? { ...read(raw.means), n: numbers(raw.means.n) } : null;
    return { ...read(raw), by: raw.by || "step", points: raw.points || raw.x.length, means: means };
  };

  // A curve with newer points: they take the place of all from their first x on.
  thexp.joined = function (old, more) {
    if (!old || !more.x.length) return old || more;
    let keep = old.x.length;
    while (keep > 0 && old.x[keep - 1] >= more.x[0]) keep--;
    const epoch = old.epoch && more.epoch ? old.epoch.slice(0, keep).concat(more.epoch) : null;
    const curve = {
      x: old.x.slice(0, keep).concat(more.x), y: old.y.slice(0, keep).concat(more.y),
      epoch: epoch, by: more.by, points: more.points,
    };
    const means = thexp.joinedMeans(old, more, keep);
    if (curve.x.length <= MOST) return { ...curve, means: means && thexp.fewerMeans(means, MOST) };
    return { ...thinned(curve, MOST / 2), means: thexp.fewerMeans(means || thexp.ownMeans(curve), MOST / 4) };
  };

  // Fewer points: of every bucket the first, the last, the least, the greatest and what is not finite.
  function thinned(curve, most) {
    const size = Math.ceil((curve.x.length * 4) / most);
    const kept = [];
    for (let start = 0; start < curve.x.length; start += size) {
      const end = Math.min(start + size, curve.x.length);
      const places = new Set([start, end - 1]);
      let [least, greatest] = [-1, -1];
      for (let place = start; place < end; place++) {
        if (!Number.isFinite(curve.y[place])) places.add(place);
        else {
          if (least < 0 || curve.y[place] < curve.y[least]) least = place;
          if (greatest < 0 || curve.y[place] > curve.y[greatest]) greatest = place;
        }
      }
      if (least >= 0) places.add(least).add(greatest);
      kept.push(...Array.from(places).sort((a, b) => a - b));
    }
    const take = (list) => kept.map((place) => list[place]);
    return { ...curve, x: take(curve.x), y: take(curve.y), epoch: curve.epoch && take(curve.epoch) };
  }

  // x and y to draw: gaps where y is not finite or too large, and those places by themselves.
  thexp.points = function (curve, by) {
    const x = by === "epoch" && curve.epoch ? curve.epoch : curve.x;
    const odd = [];
    const y = curve.y.map((value, place) => {
      if (value !== null && Math.abs(value) <= LARGEST) return value;
      odd.push([x[place], value]);
      return null;
    });
    return { x: x, y: y, odd: odd };
  };

  // TensorBoard's smoothing: an exponential mean whose first values are not drawn to 0.
  // Where `counts` are given, each value is the mean of so many.
  thexp.smooth = function (y, weight, counts) {
    let [mean, count] = [0, 0];
    return y.map((value, place) => {
      if (value === null) return null;
      const many = counts ? counts[place] : 1;
      const left = Math.pow(weight, many);
      mean = mean * left + (1 - left) * value;
      count += many;
      return mean / (1 - Math.pow(weight, count));
    });
  };

  // The value of a curve at x, between its points; null outside, or beside a gap.
  function reader(points) {
    let place = 0;
    return function (x) {
      const { x: xs, y: ys } = points;
      while (place < xs.length && xs[place] < x) place++;
      if (place === xs.length) return null;
      while (xs[place] === x && xs[place + 1] === x) place++; // of several rows of one step the last counts
      if (xs[place] === x) return ys[place];
      if (place === 0 || ys[place] === null || ys[place - 1] === null) return null;
      const part = (x - xs[place - 1]) / (xs[place] - xs[place - 1]);
      return ys[place - 1] + part * (ys[place] - ys[place - 1]);
    };
  }

  // The mean of several curves and the least and the greatest of them, at every x that one of them has,
  // and of how many: some end before others. `about` says that an x stands for its neighbours too.
  thexp.band = function (curves) {
    const xs = Array.from(new Set(curves.flatMap((points) => points.x))).filter(Number.isFinite);
    xs.sort((a, b) => a - b);
    const readers = curves.map(reader);
    const band = { x: [], mean: [], low: [], high: [], count: [], about: curves.some((points) => points.about) };
    for (const x of xs) {
      const values = readers.map((read) => read(x)).filter((value) => value !== null);
      if (!values.length) continue;
      band.x.push(x);
      band.mean.push(values.reduce((sum, value) => sum + value, 0) / values.length);
      band.low.push(Math.min(...values));
      band.high.push(Math.max(...values));
      band.count.push(values.length);
    }
    return coarse(band, 600);
  };

  // A band of fewer places; the edges keep their extremes.
  function coarse(band, most) {
    if (band.x.length <= most) return band;
    const size = Math.ceil(band.x.length / most);
    const made = { x: [], mean: [], low: [], high: [], count: [], about: true };
    for (let start = 0; start < band.x.length; start += size) {
      const part = (list) => list.slice(start, start + size);
      const means = part(band.mean);
      made.x.push(band.x[Math.min(start + (size >> 1), band.x.length - 1)]);
      made.mean.push(means.reduce((sum, value) => sum + value, 0) / means.length);
      made.low.push(Math.min(...part(band.low)));
      made.high.push(Math.max(...part(band.high)));
      made.count.push(Math.min(...part(band.count)));
    }
    return made;
  }

  // Last, least and greatest of a curve, for who does not see it.
  thexp.summary = function (curve) {
    const finite = curve.y.filter(Number.isFinite);
    const least = finite.reduce((a, b) => Math.min(a, b), Infinity);
    const greatest = finite.reduce((a, b) => Math.max(a, b), -Infinity);
    const last = curve.y.length ? curve.y[curve.y.length - 1] : null;
    return {
      last: last, min: finite.length ? least : null, max: finite.length ? greatest : null,
      odd: curve.y.length - finite.length, points: curve.points,
      large: finite.filter((value) => Math.abs(value) > LARGEST).length,
    };
  };

  // Metrics by the part before their last slash: [["", [...]], ["val", [...]]]
  thexp.byPrefix = function (names) {
    const groups = new Map([["", []]]);
    for (const name of names) {
      const end = name.lastIndexOf("/");
      const prefix = end > 0 ? name.slice(0, end) : "";
      if (!groups.has(prefix)) groups.set(prefix, []);
      groups.get(prefix).push(name);
    }
    return Array.from(groups).filter(([, inside]) => inside.length);
  };
})((window.thexp = window.thexp || {}));
