/** What Panel hands to the function `render` of a component's module. */

/** A component: its properties are those of the Python class, and are shared with it. */
type ComponentModel<Properties> = Properties & {
  /** Call whenever Python has changed a property, or the component is removed. */
  on(event: (keyof Properties & string) | "remove", hear: () => void): void;
  get_child(name: keyof Properties & string): HTMLElement;
};

interface RenderArguments<Properties> {
  model: ComponentModel<Properties>;
  /** Bokeh's view of it. */
  view: any;
  /** Where the module puts its elements. */
  el: HTMLElement;
}

/** What modules share over the page. */
interface Window {
  Bokeh?: { version: string };
  /** Of `compare.js`, by their names. */
  workbenchLocks?: Map<string, import("./compare.js").Lock>;
  /** Of `used_stage.js`: the stages of the page, and the one that its keys mean. */
  workbenchStages?: { all: Set<import("./stage.js").Stage>; used: import("./stage.js").Stage | null };
  /** Of `palette.js`: opens the command palette of the page. */
  workbenchPalette?: () => void;
  /** Of `tunnel.js`: URLs of parts of the app, by their paths. */
  workbenchParts?: Map<string, Promise<string>>;
  /** Of `tunnel.js`: what gives a page in a frame its relay, by the relay's name. */
  workbenchRelays?: Record<string, (page: Window & typeof globalThis) => void>;
}
