cwlVersion: v1.2
class: CommandLineTool
label: Index a FASTA file
hints:
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      samtools:
        version: ["1.16.1"]
        specs: ["https://bio.tools/samtools"]
requirements:
  # samtools writes the index beside the sequences, so they have to lie in the working directory.
  InitialWorkDirRequirement:
    listing: [$(inputs.sequences)]
baseCommand: [samtools, faidx]
inputs:
  sequences:
    type: File
    inputBinding: {position: 1, valueFrom: $(self.basename)}
outputs:
  indexed:
    type: File
    secondaryFiles: [.fai]
    outputBinding: {glob: $(inputs.sequences.basename)}
