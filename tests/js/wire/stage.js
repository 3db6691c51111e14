// Written by tests/support/wire.py; `tsc` compares it with `messages.d.ts`.

/** @import {LayerSpec, MarkSpec, StageProperties} from "#browser/messages.js" */

/** @type {StageProperties} */
export const initial = {
  "figure": null,
  "size": [
    3000,
    2000
  ],
  "mpp": null,
  "layers": [],
  "goal": {},
  "seen": {},
  "selection": null,
  "tapped": {},
  "mode": "pan",
  "angle": 0.0,
  "mirrored": false,
  "keys": "stage",
  "tones": {},
  "swipe": null,
  "lock": "",
  "tissue": {},
  "annotations": "",
  "annotation_changes": {},
  "annotation_chosen": "",
  "annotation_tool": "",
  "annotation_also": [],
  "annotation_wanted": {},
  "annotation_proposed": {},
  "annotation_unprompted": "No model for clicks is installed",
  "annotation_steps": [
    false,
    false
  ],
  "instances_chosen": 0,
  "instances_picked": {},
  "toast": {},
  "markable": false,
  "annotation_edits": [],
  "annotation_answered": {},
  "annotation_slot": "",
  "annotations_shown": true,
  "pointed": {},
  "readings": {},
  "instance_pointed": {},
  "instance_facts": {}
};

/** @type {LayerSpec[]} */
export const layers = [
  {
    "id": "1",
    "url": "tiles/key",
    "version": "v1",
    "tile_px": 256,
    "max_zoom": 4,
    "drawn_to_zoom": 2,
    "opacity": 0.5,
    "visible": true,
    "smooth": false,
    "swiped": false,
    "overlay": false,
    "instances": null,
    "legend": {
      "title": "density",
      "unit": "/mm\u00b2",
      "ramp": [
        [
          0.0,
          "#000000"
        ],
        [
          1200.0,
          "#ffffff"
        ]
      ],
      "entries": []
    },
    "readable": true
  },
  {
    "id": "1",
    "url": "tiles/key",
    "version": "v1",
    "tile_px": 256,
    "max_zoom": 4,
    "drawn_to_zoom": 4,
    "opacity": 0.5,
    "visible": true,
    "smooth": false,
    "swiped": false,
    "overlay": true,
    "instances": {
      "url": "tiles/instances",
      "version": "v2",
      "from_zoom": 3,
      "colours_url": "tiles/colours/0/0/0",
      "palette": [
        1,
        2,
        3,
        255
      ]
    },
    "legend": {
      "title": "cells",
      "unit": "",
      "ramp": [],
      "entries": [
        [
          "tumour",
          "#ff0000"
        ],
        [
          "stroma",
          "#00ff00"
        ]
      ]
    },
    "readable": false
  }
];

/** @type {MarkSpec[]} */
export const marks = [
  {
    "id": "0",
    "kind": "point",
    "parts": [
      [
        [
          1.0,
          2.0
        ]
      ]
    ],
    "colour": "#0a84ff",
    "label": "one",
    "locked": false
  },
  {
    "id": "1",
    "kind": "line",
    "parts": [
      [
        [
          0.0,
          0.0,
          3.0,
          4.0
        ]
      ]
    ],
    "colour": "#0a84ff",
    "label": "one",
    "locked": false
  },
  {
    "id": "2",
    "kind": "area",
    "parts": [
      [
        [
          0.0,
          0.0,
          0.0,
          9.0,
          9.0,
          9.0,
          9.0,
          0.0,
          0.0,
          0.0
        ],
        [
          5.0,
          5.0,
          2.0,
          5.0,
          2.0,
          2.0,
          5.0,
          2.0,
          5.0,
          5.0
        ]
      ]
    ],
    "colour": "#0a84ff",
    "label": "one",
    "locked": false
  },
  {
    "id": "3",
    "kind": "point",
    "parts": [
      [
        [
          1.0,
          2.0
        ]
      ],
      [
        [
          3.0,
          4.0
        ]
      ]
    ],
    "colour": "#0a84ff",
    "label": "one",
    "locked": false
  }
];
