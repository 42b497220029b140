// The map: a selection is sent as its outline, and the hover card is drawn here.
"use strict";

(() => {
  const WAIT = 125; // ms before the card shows, so that crossing the map does not flicker
  const { explorer } = window;
  const { element, picture, ask, set } = explorer;
  const mouse = { x: 0, y: 0 };
  const known = new Map();
  let timer = null;
  let under = null; // the crop under the mouse
  let pressed = null; // where the mouse went down on the map

  document.addEventListener("pointerdown", (event) => {
    pressed = event.target.closest(".map") ? { x: event.clientX, y: event.clientY } : null;
  }, true);
  // While one can draw, plotly tells of no clicks: one that did not move shows the cluster.
  document.addEventListener("pointerup", (event) => {
    const still = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < 4;
    if (!still || !under) return;
    learn(explorer.run, under).then((at) => {
      set("map-shape", { data: { group: at.group } });
      unmark();
    });
  }, true);
  document.addEventListener("mousemove", (event) => Object.assign(mouse, { x: event.clientX, y: event.clientY }));

  // The corners of what was drawn: a path "M1,2L3,4Z", or a rectangle.
  const corners = (shape) => {
    if (!shape) return null;
    if (shape.path) {
      const pairs = shape.path.replace(/[MZ]/g, "").split("L").map((pair) => pair.split(",").map(Number));
      return { x: pairs.map(([x]) => x), y: pairs.map(([, y]) => y) };
    }
    const { x0, x1, y0, y1 } = shape;
    return { x: [x0, x1, x1, x0], y: [y0, y0, y1, y1] };
  };
  const graph = () => document.querySelector(".map .js-plotly-plot");
  const unmark = () => {
    if (graph()?._fullLayout.shapes.length) window.Plotly.relayout(graph(), { shapes: [] });
  };
  const erase = () => {
    set("map-shape", { data: null });
    unmark();
  };
  explorer.map = { erase };

  const learn = async (run, crop) => {
    if (known.size > 5000) known.clear();
    if (!known.has(crop)) known.set(crop, (await ask("/data/crops", { run, crops: [crop] }))[crop]);
    return known.get(crop);
  };

  const fill = (card, place, crop, at) => {
    const image = element("img");
    image.alt = "";
    image.src = picture(place.crops_run, crop, "crop", 240);
    const lines = [
      element("div", "", at.group === "-1" ? "noise" : `cluster ${at.group}`),
      element("div", "note", at.where),
    ];
    if (at.label) lines.unshift(element("div", "strong", at.label));
    else if (at.suggested) lines.unshift(explorer.label(at.suggested[0], "machine"));
    card.replaceChildren(image, ...lines);
  };

  // A ring around the point under the mouse, at once: the card takes a moment.
  const circle = element("div", "hover-ring");
  const ringAt = (point) => {
    const at = point && point.bbox;
    if (!at) return circle.remove();
    circle.style.left = `${(at.x0 + at.x1) / 2}px`;
    circle.style.top = `${(at.y0 + at.y1) / 2}px`;
    return document.body.append(circle);
  };

  const put = (card) => {
    const { width, height } = card.getBoundingClientRect();
    const x = mouse.x + 18 + width > window.innerWidth ? mouse.x - width - 18 : mouse.x + 18;
    const y = Math.min(mouse.y + 12, window.innerHeight - height - 12);
    card.style.transform = `translate(${x}px, ${y}px)`;
  };

  document.addEventListener("click", (event) => {
    const row = event.target.closest(".legend-row");
    if (!row) return;
    row.setAttribute("aria-pressed", row.getAttribute("aria-pressed") !== "true");
    const off = [...document.querySelectorAll('.legend-row[aria-pressed="false"]')];
    const values = off.map((at) => at.dataset.value);
    set("map-without", { data: values.length ? { column: row.dataset.column, values } : null });
  });

  // A file that is dropped on the page, or chosen: what is like it is shown.
  const search = async (file) => {
    const target = explorer.run;
    if (!file || !target) return explorer.say("Open a class first: there is nothing to search among", true);
    explorer.say(`Looking for what is like ${file.name} …`);
    const answer = await fetch(explorer.address("/data/similar", { run: target }), { method: "POST", body: file });
    const found = await answer.json().catch(() => ({ error: `the page answered ${answer.status}` }));
    if (found.error) return explorer.say(found.error, true);
    return explorer.go(explorer.address("/cluster", { run: target, like: found.like }));
  };

  const curtain = element("div", "dropping", "Drop the image to find its like");
  let inside = 0;
  const isFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!isFile(event)) return;
    inside += 1;
    document.body.append(curtain);
  });
  document.addEventListener("dragleave", () => {
    inside = Math.max(0, inside - 1);
    if (!inside) curtain.remove();
  });
  document.addEventListener("dragover", (event) => isFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    inside = 0;
    curtain.remove();
    search(event.dataTransfer.files[0]);
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "map-file") search(event.target.files[0]);
  }, true);

  window.dash_clientside.map = {
    run(name) {
      explorer.run = name; // what a search is among, whichever page one is on
    },

    shape(moved, current) {
      const none = window.dash_clientside.no_update;
      if (!moved || !("shapes" in moved)) return none;
      const drawn = moved.shapes;
      // One outline at a time: the last; taking the others away comes back here with one.
      if (drawn.length > 1) {
        window.Plotly.relayout(graph(), { shapes: drawn.slice(-1) });
        return none;
      }
      if (drawn.length) return { shape: corners(drawn[0]) };
      return current && current.shape ? null : none; // erased, or gave way to what has a name
    },

    // How much room the map has, before it is drawn.
    room(_place) {
      const at = document.querySelector(".map");
      return at ? { width: at.clientWidth, height: at.clientHeight } : window.dash_clientside.no_update;
    },

    viewport(layout) {
      const none = window.dash_clientside.no_update;
      const moved = layout && Object.keys(layout).some((key) => key.startsWith("xaxis") || key === "autosize");
      if (!moved || !graph()) return none;
      const { xaxis, yaxis, _size } = graph()._fullLayout;
      return { x: [...xaxis.range], y: [...yaxis.range], width: _size.w, height: _size.h };
    },

    ranges(...selections) {
      const found = {};
      window.dash_clientside.callback_context.inputs_list[0].forEach(({ id }, index) => {
        const span = selections[0][index]?.range?.x;
        if (span) found[id.column] = [Math.min(...span), Math.max(...span)];
      });
      return Object.keys(found).length ? found : null;
    },

    hover(hovered, place) {
      const card = document.getElementById("card");
      clearTimeout(timer);
      const crop = hovered?.points[0].customdata;
      under = crop || null;
      ringAt(crop && hovered.points[0]);
      if (!crop) {
        card.classList.remove("shown");
        return;
      }
      timer = setTimeout(async () => {
        const at = await learn(place.run, crop);
        if (!at) return;
        fill(card, place, crop, at);
        put(card);
        card.classList.add("shown");
      }, card.classList.contains("shown") ? 0 : WAIT);
    },
  };
})();
