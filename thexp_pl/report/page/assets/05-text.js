// Values as people read them, and as plotly takes them.
(function (thexp) {
  "use strict";

  const text = (thexp.text = {});
  const WORDS = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };

  // The number that a value of the page's data stands for, or null: "NaN" is one, "3" is none.
  text.numeric = function (value) {
    if (typeof value === "number") return value;
    return typeof value === "string" && Object.hasOwn(WORDS, value) ? WORDS[value] : null;
  };

  // A number with five digits.
  text.number = function (value) {
    const number = text.numeric(value);
    if (number === null) return value === null || value === undefined ? "" : String(value);
    if (!Number.isFinite(number) || Number.isInteger(number)) return String(number);
    return String(Number(number.toPrecision(5)));
  };

  // A recorded value: numbers short, texts as they are, the rest as JSON.
  text.value = function (value) {
    if (value === undefined) return "";
    if (value === null) return "None";
    if (value === true || value === false) return value ? "True" : "False";
    if (value === "") return "''";
    if (typeof value === "number") return text.number(value);
    return typeof value === "string" ? value : JSON.stringify(value);
  };

  // Whether a text reads as another value does. Integers that JavaScript would round came as texts.
  function misleads(word) {
    if (["None", "True", "False"].includes(word) || /^[["'{]/.test(word)) return true;
    const number = word.trim() === "" ? NaN : Number(word);
    return Number.isFinite(number) && !(Number.isInteger(number) && !Number.isSafeInteger(number));
  }

  // A value as text.value gives it, but texts that read as other values in quotes.
  text.recorded = function (value) {
    return typeof value === "string" && misleads(value) ? JSON.stringify(value) : text.value(value);
  };

  const digitsOf = (number, digits) => (Number.isInteger(number) ? String(number) : String(Number(number.toPrecision(digits))));

  // What gives the values of a column: as text.recorded, with as many digits as tell numbers apart.
  text.apart = function (values) {
    const short = new Map();
    for (const number of new Set(values.filter((value) => typeof value === "number"))) {
      const word = digitsOf(number, 5);
      short.set(word, (short.get(word) || []).concat(number));
    }
    const long = new Map();
    for (const same of Array.from(short.values()).filter((each) => each.length > 1)) {
      let digits = 6;
      while (digits < 17 && new Set(same.map((number) => digitsOf(number, digits))).size < same.length) digits++;
      same.forEach((number) => long.set(number, digitsOf(number, digits)));
    }
    return (value) => long.get(value) ?? text.recorded(value);
  };

  const two = (number) => String(number).padStart(2, "0");

  // Seconds since 1970 as local time; a time that is a text already stays one.
  text.time = function (seconds) {
    if (typeof seconds === "string" && text.numeric(seconds) === null) return seconds.slice(0, 19).replace("T", " ");
    const number = text.numeric(seconds);
    const date = new Date(number * 1000);
    if (number === null || Number.isNaN(date.getTime())) return "";
    const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
    return day + " " + [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  };

  // Seconds as a duration such as 1 h 02 min.
  text.duration = function (seconds) {
    const number = text.numeric(seconds);
    if (number === null || !Number.isFinite(number) || number < 0) return "";
    if (number < 60) return text.number(Number(number.toFixed(number < 10 ? 2 : 0))) + " s";
    const minutes = Math.floor(number / 60);
    if (minutes < 60) return minutes + " min " + two(Math.floor(number % 60)) + " s";
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return hours + " h " + two(minutes % 60) + " min";
    return Math.floor(hours / 24) + " d " + (hours % 24) + " h";
  };

  // Bytes as people say them.
  text.size = function (bytes) {
    let number = text.numeric(bytes);
    if (number === null || !Number.isFinite(number)) return "";
    const units = ["B", "KB", "MB", "GB", "TB"];
    let place = 0;
    for (; number >= 1000 && place < units.length - 1; place++) number /= 1000;
    return Number(number.toPrecision(3)) + " " + units[place];
  };

  // At most so many letters.
  text.cut = function (value, letters) {
    const all = Array.from(thexp.shown(value));
    return all.length <= letters ? all.join("") : all.slice(0, letters - 1).join("") + "…";
  };

  // A text for plotly, which reads <b>, <a href>, &amp; and %{...} in titles and hovers.
  text.plain = function (value, letters) {
    const signs = { "&": "&#38;", "<": "&#60;", ">": "&#62;", "{": "&#123;", "}": "&#125;", $: "&#36;" };
    const short = text.cut(value, letters || 60).replace(/[\n\t]/g, " ");
    return short.replace(/[&<>{}$]/g, (sign) => signs[sign]);
  };

  // Which of two comes first: numbers before texts, what is missing or no number last.
  text.order = function (a, b) {
    const kinds = [a, b].map((value) => {
      if (value === null || value === undefined || value === "") return 3;
      const number = text.numeric(value);
      if (number === null) return 1;
      return Number.isNaN(number) ? 2 : 0;
    });
    if (kinds[0] !== kinds[1] || kinds[0] > 1) return { by: kinds[0] - kinds[1], fixed: true };
    if (kinds[0] === 0) return { by: text.numeric(a) - text.numeric(b) || 0, fixed: false };
    const by = text.value(a).localeCompare(text.value(b), undefined, { numeric: true });
    return { by: by, fixed: false };
  };
})((window.thexp = window.thexp || {}));
