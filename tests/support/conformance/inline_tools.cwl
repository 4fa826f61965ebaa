cwlVersion: v1.2

class: Workflow
inputs: {file: File}
outputs: {out: {type: File, outputSource: second/out}}
steps:
  first:
    in: {file: file}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: sort
      arguments: [-r, $(inputs.file.path)]
      inputs: {file: File}
      outputs: {out: stdout}
      stdout: sorted.txt
  second:
    in: {file: first/out}
    out: [out]
    run: parts/shout.cwl
