/**
 * Messages between Python and the viewer in the browser: the properties of `TileStage`.
 *
 * Coordinates are level-0 pixels of the slide, x right, y down, unless something else is said.
 * `tests/js/wire/stage.js` holds what Python sends, checked against these types.
 */

export type Point = [x: number, y: number];
export type Corners = [x0: number, y0: number, x1: number, y1: number];
export type TilePlace = [z: number, x: number, y: number];

export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Instances that the browser colours itself; `InstancesSpec` in Python. */
export interface InstancesSpec {
  url: string;
  version: string;
  /** First zoom level whose tiles hold the number of each pixel's instance. */
  from_zoom: number;
  /** URL of the tile that holds the colour of each instance. */
  colours_url: string;
  /** Red, green, blue and opacity of interior and border of each colour. */
  palette: number[];
}

/** The meaning of a layer's colours; `Legend` in Python. */
export interface LegendSpec {
  title: string;
  unit: string;
  /** From low to high, for values. */
  ramp: [value: number, colour: string][];
  /** For classes. */
  entries: [name: string, colour: string][];
}

/** A layer of the slide; `LayerSpec` in Python. */
export interface LayerSpec {
  id: string;
  url: string;
  version: string;
  tile_px: number;
  max_zoom: number;
  /** Last zoom level at which the layer is drawn; -1: at none. */
  drawn_to_zoom: number;
  opacity: number;
  visible: boolean;
  /** Whether to interpolate between its pixels. */
  smooth: boolean;
  /** Whether it is painted right of the divider only. */
  swiped: boolean;
  /** Whether the layer is an overlay, which can be hidden to see the slide. */
  overlay: boolean;
  instances: InstancesSpec | null;
  legend: LegendSpec | null;
  /** Whether the readout at the pointer names the layer's values, where it is drawn. */
  readable: boolean;
}

/** Tones of the slide's picture. */
export interface Tones {
  /** Added, of -0.5 to 0.5. */
  brightness: number;
  /** Factor around the middle grey, of 0.25 to 4. */
  contrast: number;
  /** Of 0.25 to 4; more is brighter. */
  gamma: number;
}

/** A view: its centre, and level-0 pixels per CSS pixel. */
export interface ViewPlace {
  x: number;
  y: number;
  downsample: number;
}

/** View to show: a box (null: the whole slide), or a position. */
export interface Goal extends Partial<ViewPlace> {
  box?: Corners | null;
  /** Makes a repeated goal a change. */
  number?: number;
  /** Whether another camera has moved this one. */
  led?: boolean;
}

/** Where nodes of an upright grid lead, which begins at (0, 0). */
export interface PointGrid {
  /** Distance of the nodes along x and y. */
  step: Point;
  columns: number;
  /** Points [x, y, x, y, ...], row by row. */
  points: number[];
}

/** A registered slide; `tissue_link` in Python. */
export interface TissueLinkSpec {
  /** Columns of the linear map from this slide to the main one. */
  linear: [a: number, b: number, c: number, d: number];
  /** From this slide to the main one. */
  forth: PointGrid;
  /** From the main slide to this one. */
  back: PointGrid;
}

export type MarkKind = "point" | "line" | "area";

/** A ring, line or point as flat numbers [x, y, x, y, ...]; a closed ring ends as it begins. */
export type Ring = number[];

/** Polygons (or lines, or points) of rings, the outer one first. */
export type Parts = Ring[][];

/** An annotation; `mark_of` in Python. */
export interface MarkSpec {
  id: string;
  kind: MarkKind;
  parts: Parts;
  colour: string;
  label: string;
  locked: boolean;
}

/** Edits of annotations in the browser; Python applies them in the order of their numbers. */
export type Edit =
  | { do: "add"; key: string; kind: MarkKind; parts: Parts; downsample: number }
  | { do: "change"; id: string; kind: MarkKind; parts: Parts }
  | { do: "delete"; ids: string[] }
  /** An area that is added to an annotation or taken away: a stroke of a brush, or polygons. `id` empty: a new one, `key`. */
  | { do: "paint"; id: string; key: string; points: Ring; radius: number; parts: Parts; erase: boolean; downsample: number }
  | { do: "combine"; ids: string[]; operation: "union" | "difference" | "intersection" }
  | { do: "fill" | "simplify"; ids: string[]; downsample: number }
  | { do: "delete instances" | "undo" | "redo" };

export type NumberedEdit = Edit & { number: number };

export type ToolName = "box" | "polygon" | "freehand" | "line" | "point" | "brush" | "eraser" | "wand" | "prompt";

/** What the wand or clicks ask Python for; `Proposer` in Python. */
export interface Wanted {
  number: number;
  tool: "wand" | "prompt";
  /** Points [x, y, x, y, ...]. */
  points: Ring;
  /** 1 where the area is, 0 where it is not, for each point. */
  labels: number[];
  /** Of the wand, in units of CIELAB. */
  tolerance: number;
  downsample: number;
}

/** Properties of `TileStage`; `{}` stands for a value that was not sent yet. */
export interface StageProperties {
  /** Bokeh's figure: the element, or in `view.model.data` its model. */
  figure: unknown;
  /** Width and height of the slide. */
  size: [width: number, height: number];
  /** Micrometres for each pixel; null: not known. */
  mpp: number | null;
  /** Bottom first. */
  layers: LayerSpec[];
  goal: Goal;
  /** Current view. */
  /** `stage`: its width and height in CSS pixels; `box`: the upright box around what is seen. */
  seen: Partial<ViewPlace> & { box?: Corners; stage?: [width: number, height: number] };
  selection: number[] | null;
  tapped: Partial<{ x: number; y: number; number: number; mark: string }>;
  mode: "pan" | "select";
  /** Degrees clockwise, from 0 up to 360. */
  angle: number;
  mirrored: boolean;
  /** Whether keys act wherever on the page the focus is, or on the stage alone. */
  keys: "page" | "stage";
  tones: Partial<Tones>;
  /** Share of the width; null: there is no divider. */
  swipe: number | null;
  /** Stages of a page with the same name here move together; empty: alone. */
  lock: string;
  /** Where the slide lies in the tissue of the main slide of its lock, which says `main`. */
  tissue: Partial<TissueLinkSpec & { main: boolean }>;
  /** `MarkSpec[]` as JSON. */
  annotations: string;
  annotation_changes: Partial<{ put: MarkSpec[]; gone: string[]; number: number }>;
  /** Id; empty: none is. */
  annotation_chosen: string;
  annotation_tool: ToolName | "";
  /** Ids of the annotations that are selected besides the chosen one. */
  annotation_also: string[];
  annotation_wanted: Partial<Wanted>;
  /** The area that was asked for by that number. */
  annotation_proposed: Partial<{ number: number; parts: Parts }>;
  /** Why clicks cannot be segmented; empty: they can. */
  annotation_unprompted: string;
  annotation_steps: [undo: boolean, redo: boolean];
  instances_chosen: number;
  /** Outline [x, y, x, y, ...] of a region of instances; a point: a click; empty: none. `add`: to those selected. */
  instances_picked: Partial<{ points: Ring; add: boolean; number: number }>;
  /** A message, and whether it has an Undo button. */
  toast: Partial<{ text: string; undo: boolean; number: number }>;
  /** Whether drawings are saved. */
  markable: boolean;
  annotation_edits: NumberedEdit[];
  /** Number of the last edit that was saved or refused. */
  annotation_answered: { number?: number };
  /** Key of unsaved edits in the tab's storage. */
  annotation_slot: string;
  annotations_shown: boolean;
  /** Position of the pointer, and the ids of the layers painted there. */
  pointed: Partial<{ x: number; y: number; number: number; layers: string[] }>;
  /** Values of the layers there. */
  readings: Partial<{ number: number; texts: string[] }>;
  instance_pointed: Partial<{ layer: string; id: number; number: number }>;
  /** Values of the instance at the pointer, as names and texts. */
  instance_facts: Partial<{ number: number; lines: [name: string, value: string][] }>;
}

export type StageModel = ComponentModel<StageProperties>;
