cwlVersion: v1.2
class: CommandLineTool
label: Align paired reads with Bowtie 2
doc: |
  The same input gives the same bytes each time: --reorder keeps the order of the reads with any number of threads, and
  the files lie in the working directory, so that the command line that SAM's header repeats holds no temporary path.
hints:
  EnvVarRequirement: {envDef: {LC_ALL: C.UTF-8}}
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      bowtie2:
        version: ["2.5.0"]
        specs: ["https://bio.tools/bowtie2"]
        s:url: https://bowtie-bio.sourceforge.net/bowtie2/
        s:codeRepository: https://github.com/BenLangmead/bowtie2
        s:license: https://spdx.org/licenses/GPL-3.0-or-later
        s:citation: https://doi.org/10.1038/nmeth.1923
requirements:
  InitialWorkDirRequirement:
    listing: [$(inputs.index), $(inputs.reads_1), $(inputs.reads_2)]
baseCommand: [bowtie2, --reorder]
inputs:
  index:
    type: Directory
    doc: As bowtie2-build.cwl makes it.
    inputBinding: {prefix: -x, valueFrom: $(self.basename)/reference}
  reads_1:
    type: File
    inputBinding: {prefix: "-1", valueFrom: $(self.basename)}
  reads_2:
    type: File
    inputBinding: {prefix: "-2", valueFrom: $(self.basename)}
  sample:
    type: string
    inputBinding: {prefix: --rg-id}
  threads:
    type: int
    default: 1
    inputBinding: {prefix: --threads}
arguments:
  - prefix: --rg
    valueFrom: SM:$(inputs.sample)
stdout: $(inputs.sample).sam
stderr: $(inputs.sample).bowtie2.txt
outputs:
  alignments: stdout
  report: stderr
$namespaces: {s: https://schema.org/}
