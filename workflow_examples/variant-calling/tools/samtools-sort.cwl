cwlVersion: v1.2
class: CommandLineTool
label: Sort and index alignments
doc: Without --no-PG the header would hold this command line too, with its temporary path.
hints:
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      samtools:
        version: ["1.16.1"]
        specs: ["https://bio.tools/samtools"]
baseCommand: [samtools, sort, --no-PG, --write-index]
inputs:
  alignments:
    type: File
    inputBinding: {position: 1}
arguments:
  - prefix: -o
    valueFrom: $(inputs.alignments.nameroot).bam##idx##$(inputs.alignments.nameroot).bam.bai
outputs:
  sorted:
    type: File
    secondaryFiles: [.bai]
    outputBinding: {glob: $(inputs.alignments.nameroot).bam}
