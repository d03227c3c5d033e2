"use strict";
// The page's own script: the step slider, the chosen weight, the address, the charts, the download.
// It shows numbers that are in the page; it computes none.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  document.body.classList.add("scripted");

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const KINDS = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array };
  const array = (packed) => new KINDS[packed.dtype](bytes(packed.bytes).buffer);
  const inflated = async (id) => {
    const stream = new Blob([bytes($(id).textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  data.steps ??= [];
  const state = { at: data.steps.length - 1, weight: data.chosen };
  let cells = null;
  const known = (name) => cells !== null && Object.hasOwn(cells, name);
  // Of the last step that is shown up to this one.
  const placeOf = (step) => data.steps.reduce((best, each, i) => (each <= step ? i : best), 0);

  // ---- numbers as the tables print them
  const short = (v) => (Number.isNaN(v) ? "" : Math.abs(v) >= 1000 || (v !== 0 && Math.abs(v) < 0.001) ? v.toExponential(1) : v.toFixed(3));
  const percent = (used) => {
    if (Number.isNaN(used)) return "";
    if (used > 1000) return used.toExponential(0).replace("e+", "e") + " ×";
    return used > 1 ? Number(used.toPrecision(3)) + " ×" : (100 * used).toFixed(1) + " %";
  };

  // ---- the step
  const drawn = data.drawing && {
    weights: array(data.drawing.weights), values: array(data.drawing.values),
    lines: [...document.querySelectorAll("#network .weight")], nodes: [...document.querySelectorAll("#network .value")],
    rows: [...document.querySelectorAll("#weights tr[data-entry]")],
  };
  const now = data.now && {
    used: array(data.now.used), by: array(data.now.by), check: array(data.now.check), verdict: array(data.now.verdict),
    losses: array(data.now.losses),
    worst: [...document.querySelectorAll("#now-worst tbody tr")], loss: [...document.querySelectorAll("#now-loss tbody tr")],
  };

  function showStep() {
    const at = state.at, step = data.steps[at];
    for (const place of document.querySelectorAll(".at")) place.textContent = step;
    const slider = $("step");
    if (slider) {
      slider.value = at;
      slider.setAttribute("aria-valuetext", "step " + step);
      $("step-shown").textContent = step;
    }
    if (drawn) {
      const w = drawn.weights.subarray(at * drawn.lines.length), o = drawn.values.subarray(at * drawn.nodes.length);
      for (const line of drawn.lines) {
        const value = w[line.dataset.entry], told = `${line.dataset.w} = ${Number(value.toPrecision(4))}, ${data.drawing.leads[line.dataset.entry]}`;
        line.classList.toggle("neg", value < 0);
        line.classList.toggle("pos", !(value < 0));
        line.querySelector(".ink").setAttribute("stroke-width", (0.6 + (data.drawing.widest * Math.abs(value)) / (data.drawing.largest || 1)).toFixed(2));
        line.setAttribute("aria-label", told);
        line.querySelector("title").textContent = told;
      }
      for (const node of drawn.nodes) {
        node.textContent = short(o[node.dataset.node]);
        node.classList.toggle("long", node.textContent.length > 6);
      }
      for (const row of drawn.rows) row.cells[1].textContent = shortest(w[row.dataset.entry]);
    }
    if (now) {
      const many = now.worst.length;
      now.worst.forEach((row, i) => {
        const k = at * many + i, verdict = data.now.verdicts[now.verdict[k]] || "not compared at this step";
        row.cells[1].textContent = percent(now.used[k]);
        row.cells[2].textContent = data.now.names[now.by[k]] || "";
        row.cells[3].textContent = data.now.checks[now.check[k]] || "";
        row.cells[4].textContent = verdict;
      });
      now.loss.forEach((row, i) => {
        const loss = now.losses[at * now.loss.length + i];
        row.cells[1].textContent = Number.isNaN(loss) ? "not finite" : String(loss);
      });
    }
    for (const mark of document.querySelectorAll(".chosen-step")) {
      mark.setAttribute("transform", `translate(${(step - mark.dataset.last) * mark.dataset.apart} 0)`);
    }
  }

  // A float32 in the fewest digits that give it back.
  function shortest(value) {
    if (data.drawing.weights.dtype !== "float32") return String(value);
    for (let digits = 6; digits < 10; digits++) if (Math.fround(Number(value.toPrecision(digits))) === value) return String(Number(value.toPrecision(digits)));
    return String(value);
  }

  // ---- the weight
  const explainedAt = () => {
    const step = data.steps[state.at];
    let best = 0;
    data.explained.forEach((s, i) => { if (s <= step) best = i; });
    return best;
  };

  function showWeight() {
    for (const line of document.querySelectorAll("#network .weight")) {
      line.classList.toggle("chosen", line.dataset.w === state.weight);
      if (line.hasAttribute("role")) line.setAttribute("aria-pressed", line.dataset.w === state.weight);
    }
    if (!known(state.weight)) return;
    const i = explainedAt(), step = data.explained[i];
    $("weight").value = state.weight;
    $("nearest").textContent = step === data.steps[state.at] ? `at step ${step}` : `at step ${step}, the last explained one up to step ${data.steps[state.at]}`;
    const shown = $("cell").querySelector(".cell");
    if (!shown || shown.dataset.weight !== state.weight || Number(shown.dataset.step) !== step) $("cell").innerHTML = cells[state.weight][i];
  }

  // ---- the address: #w=W1[2,1]&step=63
  function address() {
    const parts = [];
    if (state.weight) parts.push("w=" + state.weight);
    if (data.steps.length) parts.push("step=" + data.steps[state.at]);
    history.replaceState(null, "", "#" + parts.join("&"));
  }
  function readAddress() {
    let hash;
    try { hash = decodeURIComponent(location.hash.slice(1)); } catch { return {}; }
    const part = (name) => hash.split("&").map((each) => each.split("=")).find((each) => each.length === 2 && each[0] === name)?.[1];
    const weight = part("w"), step = part("step");
    const named = known(weight), numbered = Boolean(data.steps.length && step && /^\d+$/.test(step));
    if (named) state.weight = weight;
    if (numbered) state.at = placeOf(Number(step));
    return { named, numbered };
  }

  function setStep(at) { state.at = at; showStep(); showWeight(); address(); }
  function setWeight(name, follow) {
    if (!known(name)) return;
    state.weight = name;
    showWeight();
    address();
    if (follow) {
      const section = $("cell").closest("section");
      section.scrollIntoView();
      section.querySelector("h2").focus({ preventScroll: true });
    }
  }

  $("step")?.addEventListener("input", (event) => setStep(Number(event.target.value)));
  $("weight")?.addEventListener("change", (event) => setWeight(event.target.value, false));
  $("network")?.addEventListener("click", (event) => {
    const line = event.target.closest(".weight[role]");
    if (line) setWeight(line.dataset.w, true);
  });
  $("network")?.addEventListener("keydown", (event) => {
    const line = event.target.closest(".weight[role]");
    if (line && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); setWeight(line.dataset.w, true); }
  });

  // ---- a factor of the formula and its column of the table light up together
  const light = (event, on) => {
    const into = event.target.closest?.("[data-into]")?.dataset.into;
    if (into) for (const each of $("cell").querySelectorAll(`[data-into="${into}"]`)) each.classList.toggle("lit", on);
  };
  for (const [name, on] of [["mouseover", true], ["focusin", true], ["mouseout", false], ["focusout", false]]) {
    $("cell")?.addEventListener(name, (event) => light(event, on));
  }

  $("download")?.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([$("record").textContent], { type: "application/json" }));
    link.download = data.file;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  let closed = [];
  addEventListener("beforeprint", () => { closed = [...document.querySelectorAll("details:not([open])")]; closed.forEach((d) => (d.open = true)); });
  addEventListener("afterprint", () => closed.forEach((d) => (d.open = false)));

  // ---- the charts: a mark of a step chooses it
  document.querySelector("main").addEventListener("click", (event) => {
    const step = event.target.closest(".chart [data-step]")?.dataset.step;
    if (step && data.steps.length) setStep(placeOf(Number(step)));
  });

  async function start() {
    if ($("cells")) cells = JSON.parse(await inflated("cells"));
    const finer = $("pictures") ? JSON.parse(await inflated("pictures")) : {};
    for (const [name, svg] of Object.entries(finer)) document.querySelector(`[data-chart="${name}"] .picture`).innerHTML = svg;
    const linked = readAddress();
    showStep();
    showWeight();
    if (linked.named) $("cell").closest("section").scrollIntoView();
    addEventListener("hashchange", () => {
      const read = readAddress();
      if (read.named || read.numbered) { showStep(); showWeight(); }
    });
    document.body.dataset.ready = "yes";
  }
  start().catch((error) => { console.error(error); document.body.dataset.ready = "failed"; });
})();
