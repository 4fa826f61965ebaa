cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'find -L "$0" -type f | sed "s,$0/,," | LC_ALL=C sort > list.txt; mkdir -p made/sub/empty; cp -r "$0/inner" made/sub/; ln list.txt made/list2.txt']
inputs:
  folder: {type: Directory, inputBinding: {}}
outputs:
  out: {type: File, outputBinding: {glob: list.txt}}
  made: {type: Directory, outputBinding: {glob: made}}
  same: {type: Directory, outputBinding: {outputEval: $(inputs.folder)}}
