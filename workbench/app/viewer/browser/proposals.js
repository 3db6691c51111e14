// Areas that Python proposes for the wand and for clicks: asked for, shown, accepted.

import { Mark } from "./mark.js";
import { paintMark } from "./mark_painter.js";
import { ProposingTool } from "./paint_tools.js";

/**
 * @import {AnnotationCanvas, View} from "./annotation_canvas.js"
 * @import {Parts} from "./messages.js"
 * @import {Stage} from "./stage.js"
 */

const INSIDE = "#34c759";
const OUTSIDE = "#ff3b30";

/** What a tool asks for, as text: the same question is not asked twice. */
const question = (/** @type {ProposingTool} */ { points, labels, tolerance }) => JSON.stringify([points, labels, Math.round(10 * tolerance)]);

export class Proposals {
  number = 0;

  /** Number of the last answer. */
  answered = 0;

  /** The question that was asked last, and the one whose answer is shown. */
  asked = "";
  shown = "";

  /** @type {Parts} */
  parts = [];

  /**
   * @param {Stage} stage
   * @param {AnnotationCanvas} canvas
   */
  constructor(stage, canvas) {
    this.stage = stage;
    this.canvas = canvas;
    stage.model.on("annotation_proposed", () => this.answer());
  }

  /** @returns {ProposingTool | null} */
  get tool() {
    const { tool } = this.canvas.pencil;
    return tool instanceof ProposingTool ? tool : null;
  }

  /** Whether the last question has no answer yet. */
  get waiting() {
    return Boolean(this.asked) && this.answered < this.number;
  }

  /** Ask for what the tool means now; one question at a time. */
  ask() {
    const { tool } = this;
    if (!tool || !tool.busy) {
      this.clear();
      return;
    }
    const now = question(tool);
    if (now === this.asked) {
      this.accept(); // the answer may have come before the user accepted
      return;
    }
    if (this.answered < this.number) return;
    this.asked = now;
    this.number = Math.max(Date.now(), this.number + 1);
    this.stage.model.annotation_wanted = {
      number: this.number,
      tool: /** @type {"wand" | "prompt"} */ (this.canvas.pencil.name),
      points: tool.clicks,
      labels: [...tool.labels],
      tolerance: tool.tolerance,
      downsample: this.canvas.downsample,
    };
  }

  answer() {
    const { number = 0, parts = [] } = this.stage.model.annotation_proposed;
    if (number < this.number) return;
    this.answered = number;
    this.parts = this.asked ? parts : []; // none if the tool was put down meanwhile
    this.shown = this.asked;
    this.ask(); // the pointer may have gone on
    this.canvas.changed();
  }

  /** Hand on what is proposed, if the user has accepted it and it is the last word. */
  accept() {
    const { tool } = this;
    if (!tool?.accepts || question(tool) !== this.shown || this.answered < this.number) return;
    if (this.parts.length) this.canvas.painter.paintedParts(this.parts, tool);
    this.canvas.pencil.take(this.canvas.pencil.name);
    this.clear();
  }

  clear() {
    this.parts = [];
    this.asked = this.shown = "";
  }

  /** @param {View} view */
  paint({ ctx, toSlide, downsample }) {
    const { tool } = this;
    if (!tool?.busy) return;
    toSlide();
    if (this.parts.length) {
      const mark = new Mark({ id: "", kind: "area", parts: this.parts, colour: tool.erases ? OUTSIDE : undefined });
      paintMark(ctx, mark, downsample, { width: 3, fill: 0, colour: "#fff" });
      paintMark(ctx, mark, downsample, { width: 1.5, fill: 0.3 });
    }
    tool.points.forEach(([x, y], i) => {
      ctx.beginPath();
      ctx.arc(x, y, 4 * downsample, 0, 2 * Math.PI);
      ctx.fillStyle = tool.labels[i] ? INSIDE : OUTSIDE;
      ctx.fill();
      ctx.lineWidth = 1.5 * downsample;
      ctx.strokeStyle = "#fff";
      ctx.stroke();
    });
  }
}
