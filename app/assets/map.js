// The map: a selection is sent as its outline, and the hover card is drawn here.
"use strict";

(() => {
  const WAIT = 125; // ms before the card shows, so that crossing the map does not flicker
  const make = window.dash_clientside.gallery.element;
  const mouse = { x: 0, y: 0 };
  let timer = null;
  let onMap = false; // whether the person's last act was on the map

  document.addEventListener("pointerdown", (event) => (onMap = Boolean(event.target.closest(".map"))), true);
  document.addEventListener("keydown", () => (onMap = false), true);
  document.addEventListener("mousemove", (event) => Object.assign(mouse, { x: event.clientX, y: event.clientY }));

  const outline = (selected) => {
    if (selected?.lassoPoints) return { x: selected.lassoPoints.x, y: selected.lassoPoints.y };
    if (!selected?.range) return null;
    const [x0, x1] = selected.range.x;
    const [y0, y1] = selected.range.y;
    return { x: [x0, x1, x1, x0], y: [y0, y0, y1, y1] };
  };

  const fill = (card, run, [crop, cluster, dive, name]) => {
    const image = make("img", "");
    image.alt = "";
    image.src = window.dash_clientside.gallery.picture(run, crop, "crop", 240);
    const lines = [make("div", "", cluster), make("div", "note", `dive ${dive}`)];
    if (name) lines.unshift(make("div", "strong", name));
    card.replaceChildren(image, ...lines);
  };

  const put = (card) => {
    const { width, height } = card.getBoundingClientRect();
    const x = mouse.x + 18 + width > window.innerWidth ? mouse.x - width - 18 : mouse.x + 18;
    const y = Math.min(mouse.y + 12, window.innerHeight - height - 12);
    card.style.transform = `translate(${x}px, ${y}px)`;
  };

  window.dash_clientside.map = {
    shape(selected, clicked) {
      const none = window.dash_clientside.no_update;
      const [cause] = window.dash_clientside.callback_context.triggered;
      if (!cause) return none;
      let shape = outline(selected);
      // A redraw, as after naming, may drop plotly's own selection; only a person ends ours.
      if (cause.prop_id.endsWith("selectedData") && !shape && !onMap) return none;
      if (cause.prop_id.endsWith("clickData")) {
        if (!clicked) return none;
        const label = clicked.points[0].customdata[1];
        shape = { cluster: label === "noise" ? -1 : Number(label.split(" ")[1]) };
      }
      window.explorer.page.shape = shape;
      return shape;
    },

    hover(hovered, place) {
      const card = document.getElementById("card");
      clearTimeout(timer);
      if (!hovered) {
        card.classList.remove("shown");
        return;
      }
      timer = setTimeout(() => {
        fill(card, place.crops_run, hovered.points[0].customdata);
        put(card);
        card.classList.add("shown");
      }, card.classList.contains("shown") ? 0 : WAIT);
    },
  };
})();
