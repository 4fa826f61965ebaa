cwlVersion: v1.2

class: Workflow
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {files: "File[]"}
outputs: {out: {type: "File[]", outputSource: shout/out}, one: {type: File, outputSource: again/out}}
steps:
  shout: {scatter: file, in: {file: files}, out: [out], run: parts/shout.cwl}
  again: {in: {file: {source: files, valueFrom: "$(self[1])"}}, out: [out], run: parts/shout.cwl}
