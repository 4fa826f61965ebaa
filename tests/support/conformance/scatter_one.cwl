cwlVersion: v1.2

class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {files: "File[]", none: {type: "File[]", default: []}}
outputs:
  out: {type: "File[]", outputSource: shout/out}
  nothing: {type: "File[]", outputSource: idle/out}
steps:
  shout: {scatter: file, in: {file: files}, out: [out], run: parts/shout.cwl}
  idle: {scatter: file, in: {file: none}, out: [out], run: parts/shout.cwl}
