// The means of a long curve's buckets. Of its points a page has the extremes, which are no sample of it:
// smoothing and the means of groups are made from these means.
//   {x: of each bucket the last x, epoch, y: the mean, or null, n: of how many finite values}
(function (thexp) {
  "use strict";

  // A bucket for each point of a curve that has all of its points.
  thexp.ownMeans = function (curve) {
    const finite = curve.y.map((value) => Number.isFinite(value));
    return {
      x: curve.x, epoch: curve.epoch, n: finite.map(Number),
      y: curve.y.map((value, place) => (finite[place] ? value : null)),
    };
  };

  const part = (means, start, stop) => ({
    x: means.x.slice(start, stop), epoch: means.epoch && means.epoch.slice(start, stop),
    y: means.y.slice(start, stop), n: means.n.slice(start, stop),
  });

  // The means of a curve with newer points behind its first `keep`; null where all points are there.
  thexp.joinedMeans = function (old, more, keep) {
    if (!old.means && !more.means) return null;
    const [first, second] = [old, more].map((curve) => curve.means || thexp.ownMeans(curve));
    const begin = (place) => (first.n[place] < 2 ? first.x[place] : place > 0 ? first.x[place - 1] : old.x[0]);
    let left = first.x.length;
    while (left > 0 && begin(left - 1) >= more.x[0]) left--;
    const before = part(first, 0, left);
    if (left > 0) before.x[left - 1] = Math.min(before.x[left - 1], old.x[keep - 1]);
    return {
      x: before.x.concat(second.x), y: before.y.concat(second.y), n: before.n.concat(second.n),
      epoch: before.epoch && second.epoch ? before.epoch.concat(second.epoch) : null,
    };
  };

  // One bucket in the place of several: its mean is that of all their values.
  function merged(means) {
    const count = means.n.reduce((sum, n) => sum + n, 0);
    const mean = means.y.reduce((sum, value, place) => (means.n[place] ? sum + value * (means.n[place] / count) : sum), 0);
    const last = means.x.length - 1;
    return { x: means.x[last], epoch: means.epoch && means.epoch[last], y: count ? mean : null, n: count };
  }

  function mergedBy(means, ends) {
    const made = { x: [], epoch: means.epoch && [], y: [], n: [] };
    let start = 0;
    for (let place = 0; place < means.x.length; place++) {
      if (place + 1 < means.x.length && !ends(start, place)) continue;
      const one = merged(part(means, start, place + 1));
      for (const name of Object.keys(made)) if (made[name]) made[name].push(one[name]);
      start = place + 1;
    }
    return made;
  }

  // Fewer buckets, each of about as many values: those that have enough stay as they are.
  thexp.fewerMeans = function (means, most) {
    if (means.x.length <= most) return means;
    const weight = (n) => Math.max(n, 1);
    const size = means.n.reduce((sum, n) => sum + weight(n), 0) / most;
    let sum = 0;
    return mergedBy(means, (start, place) => {
      sum = (start === place ? 0 : sum) + weight(means.n[place]);
      return sum >= size;
    });
  };

  const byEpoch = (curve, by) => by === "epoch" && curve.epoch && curve.means.epoch;

  // x and y of a smoothed curve; a long one has a point at the end of every bucket.
  thexp.smoothed = function (curve, by, weight) {
    const points = thexp.points(curve, by);
    if (!curve.means) return { x: points.x, y: thexp.smooth(points.y, weight), about: false };
    const { means } = curve;
    const y = thexp.smooth(means.y, weight, means.n);
    return { x: [points.x[0]].concat(byEpoch(curve, by) ? means.epoch : means.x), y: [y[0]].concat(y), about: true };
  };

  // x and y of which the mean of a group is made: points, or the means of buckets at their middles; over
  // epochs the mean of each. Where they are smoothed, the means of epochs are, as in `thexp-pl plot`.
  thexp.averaged = function (curve, by, weight) {
    if (by === "epoch" && curve.epoch) return ofEpochs(curve, weight);
    if (weight > 0) return thexp.smoothed(curve, by, weight);
    const points = thexp.points(curve, by);
    if (!curve.means) return { x: points.x, y: points.y, about: false };
    const { x, y, n } = curve.means;
    const middles = x.map((end, place) => (n[place] < 2 ? end : ((place ? x[place - 1] : curve.x[0]) + end) / 2));
    const last = x.length - 1;
    return { x: [curve.x[0], ...middles, x[last]], y: [y[0], ...y, y[last]], about: true };
  };

  function ofEpochs(curve, weight) {
    const own = () => thexp.ownMeans({ ...curve, y: thexp.points(curve, "epoch").y });
    const all = curve.means && curve.means.epoch ? curve.means : own();
    const means = mergedBy(all, (start, place) => all.epoch[place + 1] !== all.epoch[place]);
    return { x: means.epoch, y: weight > 0 ? thexp.smooth(means.y, weight) : means.y, about: Boolean(curve.means) };
  }

  // Of how many values the widest bucket is the mean; 0 where all points are there.
  thexp.widest = (curve) => (curve.means ? curve.means.n.reduce((a, b) => Math.max(a, b), 0) : 0);
})((window.thexp = window.thexp || {}));
