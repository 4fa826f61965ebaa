cwlVersion: v1.2
$graph:
  - id: main
    class: Workflow
    inputs: {file: File}
    outputs: {out: {type: File, outputSource: copy/out}, count: {type: File, outputSource: count/count}}
    steps:
      copy: {run: "#copy", in: {file: file}, out: [out]}
      count: {run: parts/old.cwl, in: {file: copy/out}, out: [count]}
  - id: copy
    class: CommandLineTool
    baseCommand: cat
    inputs: {file: {type: File, inputBinding: {}}}
    outputs: {out: stdout}
    stdout: copied.txt
