cwlVersion: v1.2

class: Workflow
inputs:
  file: {type: File, default: {class: File, location: data/defaulted.txt}}
  replaced: {type: File, default: {class: File, location: data/there-is-no-such-file.txt}}
  folder: {type: Directory, default: {class: Directory, location: data/folder}}
outputs: {out: {type: File, outputSource: copy/out}, other: {type: File, outputSource: replaced}, folder: {type: Directory, outputSource: folder}}
steps:
  copy: {run: parts/cat.cwl, in: {file: file}, out: [out]}
