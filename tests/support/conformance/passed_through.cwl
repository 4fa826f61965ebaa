cwlVersion: v1.2

class: Workflow
inputs: {file: {type: File, secondaryFiles: [.idx]}, folder: Directory, n: int, none: string?}
outputs:
  file: {type: File, outputSource: file, secondaryFiles: [.idx]}
  folder: {type: Directory, outputSource: folder}
  n: {type: int, outputSource: n}
  none: {type: string?, outputSource: none}
steps: {}
