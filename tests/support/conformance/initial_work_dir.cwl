cwlVersion: v1.2

class: CommandLineTool
requirements:
  InlineJavascriptRequirement: {}
  InitialWorkDirRequirement:
    listing:
      - $(inputs.file)
      - {entryname: renamed.txt, entry: $(inputs.file)}
      - {entryname: script.sh, entry: "echo $(inputs.word) \\$HOME"}
      - {entryname: config.json, entry: "$({word: inputs.word})"}
      - {entryname: sub/nested.txt, entry: "$(inputs.word)\n"}
      - $(inputs.folder)
      - "${ return [{class: 'File', basename: 'js.txt', contents: 'made by js'}]; }"
inputs: {file: File, folder: Directory, word: string}
baseCommand: [sh, -c, 'cat a.txt renamed.txt script.sh config.json sub/nested.txt js.txt; find -L folder -type f | LC_ALL=C sort']
outputs: {out: stdout, script: {type: File, outputBinding: {glob: script.sh}}}
stdout: out.txt
