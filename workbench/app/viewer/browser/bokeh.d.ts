/**
 * What the viewer uses of Bokeh's models and views. Members that begin with an underscore, and
 * views, are not Bokeh's public interface: its version is bounded in pyproject.toml.
 */

type Signal = object;

export interface Range {
  start: number;
  end: number;
  change: Signal;
  setv(values: { start: number; end: number }): void;
}

export interface BoxAnnotation {
  visible: boolean;
  left: number;
  right: number;
  top: number;
  bottom: number;
  change: Signal;
  setv(values: object): void;
}

interface GestureSlot {
  active: { event_types: string[] } | null;
}

/** A click, at data coordinates and at pixels of the figure. */
export interface Tap {
  x: number;
  y: number;
  sx: number;
  sy: number;
}

/** Events of a figure by their names. */
export interface FigureEvents {
  tap: Tap;
  doubletap: Tap;
  selectiongeometry: {
    geometry: { type: string; x0: number; x1: number; y0: number; y1: number };
    final?: boolean;
  };
}

export interface Figure {
  x_range: Range;
  y_range: Range;
  properties: Record<string, { change: Signal }>;
  toolbar: { gestures: Record<"press" | "tap", GestureSlot> };
  connect(signal: Signal, hear: () => void): void;
  on_event<Name extends keyof FigureEvents>(name: Name, hear: (event: FigureEvents[Name]) => void): void;
  select_one(name: "tiles"): { visible: boolean };
  select_one(name: "selection"): BoxAnnotation;
  select_one(name: "pan" | "select"): { active: boolean };
}

export interface Scale {
  compute(value: number): number;
  invert(value: number): number;
}

export interface Frame {
  bbox: { left: number; top: number; width: number; height: number };
  x_scale: Scale;
  y_scale: Scale;
}

interface Movement {
  x: number;
  y: number;
}

export interface Gestures {
  _get_sxy(event: { clientX: number; clientY: number }): { sx: number; sy: number };
  _movement(pointer: { init: Movement; last: Movement }): { dx: number; dy: number };
  _pointer_timeout(): void;
}

export interface CanvasView {
  el: HTMLElement;
  events_el: HTMLElement;
  ui_event_bus: Pick<Gestures, "_get_sxy"> & { ui_gestures: Gestures };
}

export interface TileRendererView {
  plot_view: PlotView;
  has_finished(): boolean;
  request_paint(): void;
  _paint(ctx: CanvasRenderingContext2D): void;
}

export interface PlotView {
  el: HTMLElement;
  frame: Frame;
  canvas_view: CanvasView;
  layout?: object;
  is_destroyed: boolean;
  views?: { find_one(model: object): TileRendererView | null };
  renderer_views?: Map<object, TileRendererView>;
  throttled_paint: () => Promise<void>;
  repaint(): void;
  measure_layout(): void;
  update_bbox(): void;
  _compute_layout(): void;
  after_layout(): void;
}
