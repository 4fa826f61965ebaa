cwlVersion: v1.2
class: CommandLineTool
label: Sort and index alignments
doc: Without --no-PG the header would hold this command line too, with its temporary path.
hints:
  EnvVarRequirement: {envDef: {LC_ALL: C.UTF-8}}
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      samtools:
        version: ["1.16.1"]
        specs: ["https://bio.tools/samtools"]
        s:url: https://www.htslib.org/
        s:codeRepository: https://github.com/samtools/samtools
        s:license: https://spdx.org/licenses/MIT
        s:citation: https://doi.org/10.1093/gigascience/giab008
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
$namespaces: {s: https://schema.org/}
