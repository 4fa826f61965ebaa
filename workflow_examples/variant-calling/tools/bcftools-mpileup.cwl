cwlVersion: v1.2
class: CommandLineTool
label: Compute genotype likelihoods
doc: |
  --no-version keeps the date and the command line out of the header; the header does name the reference, so that lies
  in the working directory.
hints:
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      bcftools:
        version: ["1.16"]
        specs: ["https://bio.tools/bcftools"]
requirements:
  InitialWorkDirRequirement:
    listing: [$(inputs.reference)]
baseCommand: [bcftools, mpileup, --no-version, --output-type, u]
inputs:
  reference:
    type: File
    secondaryFiles: [.fai]
    inputBinding: {prefix: --fasta-ref, valueFrom: $(self.basename)}
  alignments:
    type: File
    secondaryFiles: [.bai]
    inputBinding: {position: 1}
stdout: $(inputs.alignments.nameroot).bcf
outputs:
  likelihoods: stdout
