// What runs are called on a page of several: by their keys, and by more where two have the same.
(function (thexp) {
  "use strict";

  const partsOf = (row) => [...String(row.root || "").split(/[\\/]/), row.experiment].filter(Boolean);

  // What tells paths apart, from their end on: a and b of x/a/runs/net and x/b/runs/net.
  function endsOf(rows) {
    let paths = rows.map(partsOf);
    const alike = () => new Set(paths.map((parts) => parts[parts.length - 1])).size === 1;
    while (alike() && paths.every((parts) => parts.length > 1)) paths = paths.map((parts) => parts.slice(0, -1));
    const longest = Math.max(...paths.map((parts) => parts.length));
    let ends = [];
    for (let count = 1; count <= longest; count++) {
      ends = paths.map((parts) => parts.slice(-count).join("/"));
      if (new Set(ends).size === ends.length) break;
    }
    return ends;
  }

  // The label of each run by its id.
  thexp.labels = function (rows) {
    const same = new Map();
    for (const row of rows) same.set(row.key, [...(same.get(row.key) || []), row]);
    const labels = new Map();
    for (const [key, group] of same) {
      const ends = group.length > 1 ? endsOf(group) : [];
      group.forEach((row, place) => labels.set(row.id, ends.length ? key + " (" + ends[place] + ")" : key));
    }
    return labels;
  };
})((window.thexp = window.thexp || {}));
