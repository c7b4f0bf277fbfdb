// Light and dark, and the colours of runs.
(function (thexp) {
  "use strict";

  // Okabe and Ito's, moved where they could not be told from the ground, at least 3 to 1 on it, or
  // from one another by the colour-blind
  const PALETTES = {
    light: ["#0072b2", "#f84017", "#009e73", "#c2609a", "#222222", "#7a3b10", "#5b4be0", "#829528"],
    dark: ["#56b4e9", "#e69f00", "#0c9e73", "#f3a3cd", "#eeeeee", "#d2622a", "#7c83ff", "#f0e442"],
  };
  // Viridis without the end that is lost on the ground
  const SCALES = {
    light: [[0, "#440154"], [0.35, "#31688e"], [0.7, "#2a9d6f"], [1, "#b5a800"]],
    dark: [[0, "#7a6fd6"], [0.35, "#4f9ec4"], [0.7, "#4fd08a"], [1, "#fde725"]],
  };
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const KEY = "thexp-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const hearers = [];

  function kept() {
    try {
      return localStorage.getItem(KEY) || "auto";
    } catch {
      return "auto"; // a browser may keep nothing for a file
    }
  }

  function keep(choice) {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // the choice holds until the page is closed
    }
  }

  let chosen = kept();
  let printing = false;

  function show() {
    const dark = !printing && (chosen === "dark" || (chosen !== "light" && system.matches));
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    hearers.forEach((hear) => hear());
  }

  // Call back when the theme changes.
  thexp.onTheme = function (hear) {
    hearers.push(hear);
  };

  // The button that goes from the system's theme to light to dark.
  thexp.themeButton = function () {
    const next = { auto: "light", light: "dark", dark: "auto" };
    const button = thexp.node("button", { type: "button", class: "theme" });
    const name = () => {
      button.textContent = "Theme: " + chosen;
    };
    button.addEventListener("click", () => {
      chosen = next[chosen] || "auto";
      keep(chosen);
      name();
      show();
    });
    name();
    return button;
  };

  // The line of a slot: one of eight colours, then the same with dashes.
  thexp.lineOf = function (slot) {
    const palette = PALETTES[document.documentElement.dataset.theme] || PALETTES.light;
    const dash = DASHES[Math.floor(slot / palette.length) % DASHES.length];
    return { color: palette[slot % palette.length], dash: dash };
  };

  // The colours of a scale, from the least to the greatest.
  thexp.scale = function () {
    return SCALES[document.documentElement.dataset.theme] || SCALES.light;
  };

  // Slots for runs: a run keeps its own while it is shown, and gets it back if it is still free.
  thexp.Slots = function () {
    const given = new Map();
    let held = new Map();
    return function (ids) {
      const next = new Map();
      const free = (slot) => !Array.from(next.values()).includes(slot);
      for (const id of ids) if (held.has(id)) next.set(id, held.get(id));
      for (const id of ids) {
        if (next.has(id)) continue;
        let slot = given.has(id) && free(given.get(id)) ? given.get(id) : 0;
        while (!free(slot)) slot++;
        next.set(id, slot);
        given.set(id, slot);
      }
      held = next;
      return next;
    };
  };

  // A short drawn line, as in a legend.
  thexp.swatch = function (line) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const stroke = document.createElementNS(space, "line");
    const gaps = { solid: "", dash: "6 3", dot: "2 3", dashdot: "7 3 2 3" };
    const set = { x1: 0, y1: 5, x2: 26, y2: 5, stroke: line.color, "stroke-width": 3 };
    for (const [name, value] of Object.entries(set)) stroke.setAttribute(name, value);
    stroke.setAttribute("stroke-dasharray", gaps[line.dash] || "");
    svg.setAttribute("class", "swatch");
    svg.setAttribute("viewBox", "0 0 26 10");
    svg.setAttribute("aria-hidden", "true");
    svg.append(stroke);
    return svg;
  };

  function print(begins) {
    printing = begins;
    show();
  }

  // paper is light: lines that suit a dark ground would be lost on it
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  system.addEventListener("change", show);
  show();
})((window.thexp = window.thexp || {}));
