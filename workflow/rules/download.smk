rule downloaded:
    """Download all raw archives of the project, and make nothing else."""
    input:
        all_bins("manifests"),
    message:
        f"downloaded: the raw archives of {PLAN.folder}"


rule download:
    """Download what the raw archive of one bin lacks, so that it has an answer for each source of the project."""
    output:
        manifest="{project}/manifests/{obs}_photometry_{bin}.jsonl",
    log:
        "{project}/logs/download/{obs}_{bin}.log",
    conda:
        "../../environment.yml"
    resources:
        **connections(),
        mem_mb=1000,
    params:
        raw=lambda wildcards: PLAN.raw_file(wildcards.obs, wildcards.bin),
        stage=stage("download"),
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" download "$VO_CATALOG" {params.raw} {output.manifest}'
        ' --params {params.stage:q} --options "$VO_OPTIONS" --log {log}'
