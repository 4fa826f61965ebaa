cwlVersion: v1.2

class: Workflow
inputs: {file: File}
outputs: {out: {type: File, outputSource: shout/out}}
steps:
  shout: {in: {file: file}, out: [out], run: {$import: parts/shout.cwl}}
