// Plots, drawn by plotly when they come into sight, one after another.
(function (thexp) {
  "use strict";

  // plotly 4 offers by itself to send a chart to its maker's server: nothing leaves this page
  const CONFIG = {
    showSendToCloud: false, plotlyServerURL: "", displaylogo: false, responsive: false, showTips: false, doubleClick: "reset",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  };
  const coarse = window.matchMedia("(pointer: coarse)").matches;
  const BAR = 34; // pixels of plotly's buttons, which a finger has always before it
  const plots = new Set();
  const queue = new Set();
  let loading = null;
  let working = false;

  // plotly, or null where it is not to be had. A served page may get it after its own scripts.
  thexp.plotly = function () {
    loading = loading || load();
    return loading;
  };

  async function load() {
    if (!window.Plotly && document.readyState !== "complete") {
      await new Promise((done) => window.addEventListener("load", done, { once: true }));
    }
    return window.Plotly || null;
  }

  // What all plots have in common. Colours of the theme are in the stylesheet.
  function layoutOf(layout, width) {
    const axis = { automargin: true, linecolor: "#888", gridcolor: "#8884", zeroline: false, nticks: 7, exponentformat: "power", minexponent: 4 };
    const margin = { l: 48, r: 12, t: 8, b: 36, ...layout.margin };
    // three labels a power of ten stand beside one another where there are few powers
    const room = width / (layout.xaxis && layout.xaxis.type === "log" ? 100 : 60);
    const across = { nticks: Math.max(3, Math.min(7, Math.floor(room))) };
    return {
      autosize: true, showlegend: false, hovermode: "closest",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: "#444" },
      hoverlabel: { namelength: -1, align: "left" }, dragmode: coarse ? false : "zoom",
      ...layout, margin: { ...margin, t: coarse ? Math.max(margin.t, BAR) : margin.t },
      xaxis: { ...axis, ...across, ...layout.xaxis }, yaxis: { ...axis, ...layout.yaxis },
    };
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const plot = Array.from(plots).find((each) => each.holder === entry.target);
      if (!plot) continue;
      plot.visible = entry.isIntersecting;
      if (plot.visible && plot.stale) enqueue(plot);
    }
  }, { rootMargin: "300px" });

  const resized = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const plot = Array.from(plots).find((each) => each.holder === entry.target);
      if (plot && plot.drawn && entry.contentRect.width > 0 && entry.contentRect.width !== plot.width) {
        plot.width = entry.contentRect.width;
        window.Plotly.Plots.resize(plot.holder);
      }
    }
  });

  function enqueue(plot) {
    queue.add(plot);
    if (!working) {
      working = true;
      requestAnimationFrame(work);
    }
  }

  // One plot a frame: the page stays usable while many are drawn.
  async function work() {
    const Plotly = await thexp.plotly();
    const [plot] = queue;
    if (plot) {
      queue.delete(plot);
      if (plots.has(plot)) draw(Plotly, plot);
    }
    if (queue.size) requestAnimationFrame(work);
    else working = false;
  }

  // A line in place of the plot, which keeps its zoom behind it; none shows the plot again.
  function say(plot, line) {
    if (plot.line) plot.line.remove();
    plot.line = line ? thexp.empty(line) : null;
    plot.holder.classList.toggle("none", Boolean(line));
    if (line) plot.holder.prepend(plot.line);
  }

  function draw(Plotly, plot) {
    if (!Plotly) {
      say(plot, "The plot cannot be drawn: plotly was not loaded.");
      return;
    }
    plot.stale = false;
    try {
      drawn(Plotly, plot, plot.make());
    } catch (error) {
      failed(plot, error);
    }
  }

  // The others are drawn nevertheless.
  function failed(plot, error) {
    console.error(error);
    say(plot, "The plot cannot be drawn: " + error.message + ".");
  }

  function drawn(Plotly, plot, made) {
    say(plot, made.empty);
    if (made.empty) return;
    plot.width = plot.holder.getBoundingClientRect().width;
    Plotly.react(plot.holder, made.data, layoutOf(made.layout, plot.width), CONFIG).catch((error) => failed(plot, error));
    if (plot.drawn) return;
    plot.drawn = true;
    plot.holder.classList.add("drawn");
    if (plot.ready) plot.ready(plot.holder);
  }

  // Draw into the holder what make() gives when it is seen: {data, layout}, or {empty: why there is nothing}.
  // Returns {redraw(), remove(), reset()}; ready(holder) is called after the first time.
  thexp.plot = function (holder, make, ready) {
    const plot = { holder: holder, make: make, ready: ready, stale: true, visible: false, drawn: false, width: 0 };
    plots.add(plot);
    seen.observe(holder);
    resized.observe(holder);
    return {
      redraw: () => {
        plot.stale = true;
        if (plot.visible) enqueue(plot);
      },
      reset: () => {
        if (!plot.drawn) return;
        const free = { "xaxis.autorange": true, "yaxis.autorange": true };
        window.Plotly.relayout(holder, free);
      },
      remove: () => {
        plots.delete(plot);
        seen.unobserve(holder);
        resized.unobserve(holder);
        if (plot.drawn) window.Plotly.purge(holder);
      },
    };
  };

  // Whether the browser draws what parallel coordinates need.
  thexp.hasWebGL = function () {
    const canvas = document.createElement("canvas");
    return Boolean(window.WebGLRenderingContext && canvas.getContext("webgl"));
  };

  thexp.onTheme(() => {
    for (const plot of plots) {
      plot.stale = true;
      if (plot.visible) enqueue(plot);
    }
  });

  // paper has no scrolling: all that is on the page is drawn first
  window.addEventListener("beforeprint", () => {
    if (!window.Plotly) return;
    for (const plot of plots) {
      if (plot.stale && plot.holder.offsetWidth > 0) draw(window.Plotly, plot);
    }
  });
})((window.thexp = window.thexp || {}));
