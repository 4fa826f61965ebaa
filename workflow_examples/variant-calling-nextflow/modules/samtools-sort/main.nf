// Sort and index alignments. Without --no-PG the header would hold this command line too.
process SAMTOOLS_SORT {
    tag "${alignments.name}"
    conda "${moduleDir}/environment.yml"
    publishDir params.outdir, mode: params.publish_dir_mode

    input:
    path alignments

    output:
    tuple path("${alignments.baseName}.bam"), path("${alignments.baseName}.bam.bai"), emit: sorted

    script:
    def sorted = "${alignments.baseName}.bam"
    """
    samtools sort --no-PG --write-index -o ${sorted}##idx##${sorted}.bai ${alignments}
    """
}
