cwlVersion: v1.2

class: Workflow
requirements: {SubworkflowFeatureRequirement: {}}
inputs: {file: File}
outputs: {out: {type: File, outputSource: inner/out}}
steps:
  inner:
    in: {file: file}
    out: [out]
    run:
      class: Workflow
      inputs: {file: File}
      outputs: {out: {type: File, outputSource: shout/out}}
      steps:
        copy: {run: parts/cat.cwl, in: {file: file}, out: [out]}
        shout: {run: parts/shout.cwl, in: {file: copy/out}, out: [out]}
