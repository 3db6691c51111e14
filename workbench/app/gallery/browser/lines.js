// Where the lines of a long list are: heads of groups, and lines of one or several slides.

/**
 * @import {Group} from "./table.js"
 *
 * @typedef {object} Line
 * @property {number} top in px
 * @property {number} height in px
 * @property {Group} group
 * @property {boolean} isHead whether it is the head of the group
 * @property {number} start first of its slides, in the order of the list
 * @property {number} end after its last slide
 */

export class Lines {
  /**
   * @param {Group[]} groups
   * @param {number} across slides on a line
   * @param {number} height of a line of slides, in px
   * @param {number} head height of the head of a group, in px; 0: groups have none
   */
  constructor(groups, across, height, head) {
    this.groups = groups;
    this.across = across;
    this.lineHeight = height;
    this.headHeight = head;
    this.hasHeads = head > 0 ? 1 : 0;
    /** First line and top of each group; one more at the end. */
    this.firsts = new Float64Array(groups.length + 1);
    this.tops = new Float64Array(groups.length + 1);
    groups.forEach(({ count }, n) => {
      const lines = Math.ceil(count / across);
      this.firsts[n + 1] = this.firsts[n] + lines + this.hasHeads;
      this.tops[n + 1] = this.tops[n] + lines * height + head;
    });
  }

  get count() {
    return this.firsts[this.groups.length];
  }

  get height() {
    return this.tops[this.groups.length];
  }

  /**
   * The line of a number, from 0.
   * @param {number} index
   * @returns {Line}
   */
  line(index) {
    const n = last(this.firsts, index, this.groups.length);
    const group = this.groups[n];
    const within = index - this.firsts[n] - this.hasHeads;
    const isHead = within < 0;
    const start = group.start + Math.max(0, within) * this.across;
    return {
      isHead,
      group,
      top: this.tops[n] + (isHead ? 0 : this.headHeight + within * this.lineHeight),
      height: isHead ? this.headHeight : this.lineHeight,
      start,
      end: isHead ? start : Math.min(group.start + group.count, start + this.across),
    };
  }

  /**
   * The number of the line at a height.
   * @param {number} y in px
   */
  at(y) {
    if (!this.groups.length) return 0;
    const n = last(this.tops, Math.max(0, y), this.groups.length);
    const within = Math.floor((y - this.tops[n] - this.headHeight) / this.lineHeight);
    const index = this.firsts[n] + this.hasHeads + Math.max(-this.hasHeads, within);
    return Math.min(this.count - 1, Math.max(0, index));
  }

  /**
   * The number of the line with a slide.
   * @param {number} place of the slide in the order of the list
   */
  of(place) {
    let n = 0;
    let end = this.groups.length;
    while (end - n > 1) {
      const middle = (n + end) >> 1;
      if (this.groups[middle].start <= place) n = middle;
      else end = middle;
    }
    return this.firsts[n] + this.hasHeads + Math.floor((place - this.groups[n].start) / this.across);
  }
}

/**
 * The last of so many ascending values that is not above a value.
 * @param {Float64Array} values
 * @param {number} value
 * @param {number} count
 */
function last(values, value, count) {
  let low = 0;
  let high = count;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}
