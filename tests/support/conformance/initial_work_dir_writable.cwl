cwlVersion: v1.2

class: CommandLineTool
requirements:
  InitialWorkDirRequirement:
    listing:
      - {entry: $(inputs.file), writable: true}
      - {entry: $(inputs.folder), writable: true}
      - {entryname: fresh, writable: true, entry: "$({class: 'Directory', listing: []})"}
  InlineJavascriptRequirement: {}
inputs: {file: File, folder: Directory}
baseCommand: [sh, -c, 'echo more >> a.txt && echo three > folder/three.txt && rm folder/one.txt && echo x > fresh/x']
outputs:
  changed: {type: File, outputBinding: {glob: a.txt}}
  folder: {type: Directory, outputBinding: {glob: folder}}
  fresh: {type: Directory, outputBinding: {glob: fresh}}
