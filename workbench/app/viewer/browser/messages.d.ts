/**
 * What Python and the viewer in the browser tell each other: the properties of `TileStage`.
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
  /** The first zoom at which tiles say which instance each pixel belongs to. */
  from_zoom: number;
  /** Of the tile that holds the colour of each instance. */
  colours_url: string;
  /** Red, green, blue and opacity of the inside and the border of each colour. */
  palette: number[];
}

/** A layer of the slide; `LayerSpec` in Python. */
export interface LayerSpec {
  id: string;
  url: string;
  version: string;
  tile_px: number;
  max_zoom: number;
  opacity: number;
  visible: boolean;
  /** Whether to interpolate between its pixels. */
  smooth: boolean;
  /** Whether it is painted right of the divider only. */
  swiped: boolean;
  /** Whether it says something about the slide, and can be hidden to see it. */
  overlay: boolean;
  instances: InstancesSpec | null;
  /** Whether it has values to tell of where one points. */
  readable: boolean;
}

/** Where one looks: the centre, and level-0 pixels for each CSS pixel. */
export interface ViewPlace {
  x: number;
  y: number;
  downsample: number;
}

/** Where to go: a box (null: the whole slide), or a place. */
export interface Goal extends Partial<ViewPlace> {
  box?: Corners | null;
  /** Lets the same goal be given twice. */
  number?: number;
  /** Whether another camera has moved this one. */
  led?: boolean;
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

/** What was done to annotations here; Python does it in the order of the numbers. */
export type Edit =
  | { do: "add"; key: string; kind: MarkKind; parts: Parts; downsample: number }
  | { do: "change"; id: string; kind: MarkKind; parts: Parts }
  | { do: "delete"; id: string }
  | { do: "delete instances" | "undo" | "redo" };

export type NumberedEdit = Edit & { number: number };

export type ToolName = "box" | "polygon" | "freehand" | "line" | "point";

/** Properties of `TileStage`; `{}` stands for what has not been told yet. */
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
  /** Where one is. */
  seen: Partial<ViewPlace> & { box?: Corners };
  selection: number[] | null;
  tapped: Partial<{ x: number; y: number; number: number; mark: string }>;
  mode: "pan" | "select";
  /** Quarters clockwise. */
  turn: number;
  mirrored: boolean;
  /** Share of the width; null: there is no divider. */
  swipe: number | null;
  /** Stages of a page with the same name here move together; empty: alone. */
  lock: string;
  /** `MarkSpec[]` as JSON. */
  annotations: string;
  annotation_changes: Partial<{ put: MarkSpec[]; gone: string[]; number: number }>;
  /** Id; empty: none is. */
  annotation_chosen: string;
  annotation_tool: ToolName | "";
  annotation_steps: [undo: boolean, redo: boolean];
  instances_chosen: number;
  /** A sentence, and whether what it says can be undone. */
  toast: Partial<{ text: string; undo: boolean; number: number }>;
  /** Whether somebody keeps what is drawn. */
  markable: boolean;
  annotation_edits: NumberedEdit[];
  /** Number of the last edit that was done or refused. */
  annotation_answered: { number?: number };
  /** Key under which the tab keeps what is not saved yet. */
  annotation_slot: string;
  annotations_shown: boolean;
  /** Where the pointer rests, and the ids of the layers that are painted there. */
  pointed: Partial<{ x: number; y: number; number: number; layers: string[] }>;
  /** What layers say there. */
  readings: Partial<{ number: number; texts: string[] }>;
  instance_pointed: Partial<{ layer: string; id: number; number: number }>;
  /** What is known of the instance that was pointed at, as names and values. */
  instance_facts: Partial<{ number: number; lines: [name: string, value: string][] }>;
}

export type StageModel = ComponentModel<StageProperties>;
