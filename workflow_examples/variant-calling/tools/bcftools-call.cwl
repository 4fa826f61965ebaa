cwlVersion: v1.2
class: CommandLineTool
label: Call variants
hints:
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      bcftools:
        version: ["1.16"]
        specs: ["https://bio.tools/bcftools"]
baseCommand: [bcftools, call, --no-version, --multiallelic-caller, --variants-only, --output-type, v]
inputs:
  likelihoods:
    type: File
    inputBinding: {position: 1}
  ploidy:
    type: int
    default: 2
    inputBinding: {prefix: --ploidy}
stdout: $(inputs.likelihoods.nameroot).vcf
outputs:
  variants: stdout
