// Pictures of which one is chosen: radio buttons that mouse and keys both reach.

export function render({ model, el }) {
  const group = document.createElement("div");
  group.className = "cards";
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", model.label);

  function card({ key, name, title, url }) {
    const item = document.createElement("button");
    item.type = "button";
    item.className = "card";
    item.setAttribute("role", "radio");
    item.setAttribute("aria-label", name);
    item.dataset.key = key;
    item.title = title;
    const picture = document.createElement("img");
    picture.alt = "";
    picture.src = url;
    const words = document.createElement("span");
    words.textContent = name;
    item.append(picture, words);
    item.addEventListener("click", () => { model.value = key; });
    return item;
  }

  // Not scrollIntoView: that would scroll the drawer around the gallery as well.
  function reveal(item) {
    const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
    if (top < group.scrollTop) group.scrollTop = top;
    if (bottom > group.scrollTop + group.clientHeight) {
      group.scrollTop = bottom - group.clientHeight;
    }
  }

  function mark() {
    const keys = model.items.map((item) => item.key);
    const reached = keys.includes(model.value) ? model.value : keys[0];
    for (const item of group.children) {
      const chosen = item.dataset.key === model.value;
      item.setAttribute("aria-checked", String(chosen));
      item.tabIndex = item.dataset.key === reached ? 0 : -1;
      if (chosen) reveal(item);
    }
  }

  function build() {
    group.replaceChildren(...model.items.map(card));
    mark();
  }

  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = [...group.children];
    const here = items.findIndex((item) => item.dataset.key === model.value);
    const next = items[(here + step + items.length) % items.length];
    model.value = next.dataset.key;
    next.focus();
  });

  model.on("items", build);
  model.on("value", mark);
  build();
  el.append(group);
}
