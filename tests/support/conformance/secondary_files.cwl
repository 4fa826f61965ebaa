cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'cat "$0" "$0.idx" "${0%.txt}.sum" && cp "$0" made.bam && echo i > made.bam.bai && echo c > made.csi']
inputs:
  file: {type: File, secondaryFiles: [.idx, ^.sum, {pattern: .none, required: false}], inputBinding: {}}
outputs:
  out: stdout
  made: {type: File, secondaryFiles: [.bai, ^.csi, .absent?], outputBinding: {glob: made.bam}}
stdout: out.txt
