cwlVersion: v1.2
class: CommandLineTool
label: Build a Bowtie 2 index
hints:
  SoftwareRequirement:
    packages:
      bowtie2:
        version: ["2.5.0"]
        specs: ["https://bio.tools/bowtie2"]
requirements:
  InitialWorkDirRequirement:
    listing:
      - class: Directory
        basename: index
        listing: []
baseCommand: [bowtie2-build, --quiet]
inputs:
  reference:
    type: File
    inputBinding: {position: 1}
  threads:
    type: int
    default: 1
    inputBinding: {prefix: --threads}
arguments:
  - position: 2
    valueFrom: index/reference
outputs:
  index:
    type: Directory
    doc: The index's files, named reference.*.bt2.
    outputBinding: {glob: index}
