<?xml version="1.0" encoding="UTF-8"?>
<!-- Makes sdfw-manifest(5) of schemas/manifest.xsd, and sdfw-catalogue(5) of
     schemas/catalogue.xsd, so that the reference and what is checked are the
     same words. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xsl:output method="text" encoding="UTF-8"/>
  <xsl:param name="version"/>
  <xsl:param name="date"/>
  <!-- "manifest" or "catalogue". -->
  <xsl:variable name="root" select="/xs:schema/xs:element/@name"/>
  <xsl:key name="type" match="/xs:schema/xs:*[@name]" use="@name"/>

  <!-- Text in one line, with what roff takes for commands escaped. -->
  <xsl:template name="text">
    <xsl:param name="of"/>
    <xsl:call-template name="replace">
      <xsl:with-param name="in" select="normalize-space($of)"/>
    </xsl:call-template>
  </xsl:template>
  <xsl:template name="replace">
    <xsl:param name="in"/>
    <xsl:choose>
      <xsl:when test="contains($in, '-')">
        <xsl:value-of select="concat(substring-before($in, '-'), '\-')"/>
        <xsl:call-template name="replace">
          <xsl:with-param name="in" select="substring-after($in, '-')"/>
        </xsl:call-template>
      </xsl:when>
      <xsl:otherwise><xsl:value-of select="$in"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
  <xsl:template name="documentation">
    <xsl:text>\&amp;</xsl:text>
    <xsl:call-template name="text">
      <xsl:with-param name="of" select="xs:annotation/xs:documentation"/>
    </xsl:call-template>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template match="xs:attribute">
    <xsl:text>.TP&#10;\fB</xsl:text>
    <xsl:call-template name="replace">
      <xsl:with-param name="in" select="@name"/>
    </xsl:call-template>
    <xsl:text>\fR</xsl:text>
    <xsl:variable name="type">
      <xsl:choose>
        <xsl:when test="@type = 'xs:unsignedByte'">0 to 255</xsl:when>
        <xsl:when test="@type = 'xs:unsignedShort'">0 to 65535</xsl:when>
        <xsl:when test="@type">\fI<xsl:value-of select="@type"/>\fR</xsl:when>
        <xsl:when test="xs:simpleType/xs:restriction/xs:enumeration">
          <xsl:for-each select="xs:simpleType/xs:restriction/xs:enumeration">
            <xsl:if test="position() > 1"> or </xsl:if>
            <xsl:value-of select="@value"/>
          </xsl:for-each>
        </xsl:when>
      </xsl:choose>
    </xsl:variable>
    <xsl:if test="$type != '' or @use = 'required'">
      <xsl:text> (</xsl:text>
      <xsl:value-of select="$type"/>
      <xsl:if test="$type != '' and @use = 'required'">, </xsl:if>
      <xsl:if test="@use = 'required'">required</xsl:if>
      <xsl:text>)</xsl:text>
    </xsl:if>
    <xsl:text>&#10;</xsl:text>
    <xsl:call-template name="documentation"/>
  </xsl:template>

  <xsl:template match="xs:element">
    <xsl:param name="within"/>
    <xsl:text>.SS &lt;</xsl:text>
    <xsl:value-of select="@name"/>
    <xsl:text>&gt;</xsl:text>
    <xsl:if test="$within"> in &lt;<xsl:value-of select="$within"/>&gt;</xsl:if>
    <xsl:text>&#10;</xsl:text>
    <xsl:call-template name="documentation"/>
    <xsl:variable name="type"
                  select="xs:complexType | key('type', @type)[self::xs:complexType]"/>
    <xsl:variable name="value" select="key('type', @type)[self::xs:simpleType]"/>
    <xsl:for-each select="$value">
      <xsl:text>.PP&#10;</xsl:text>
      <xsl:call-template name="documentation"/>
    </xsl:for-each>
    <xsl:apply-templates select="$type/xs:attribute"/>
    <xsl:if test="($type | $type/xs:choice)/xs:group[@ref = 'openings']">
      <xsl:text>.PP&#10;Holds openings: see below.&#10;</xsl:text>
    </xsl:if>
    <xsl:apply-templates select="$type/xs:choice/xs:element">
      <xsl:with-param name="within" select="@name"/>
    </xsl:apply-templates>
  </xsl:template>

  <xsl:template match="/xs:schema">
    <xsl:text>.\" Made of schemas/</xsl:text>
    <xsl:value-of select="$root"/>
    <xsl:text>.xsd by docs/man/schema.xsl.
.TH SDFW\-</xsl:text>
    <xsl:value-of select="translate($root, 'abcdefghijklmnopqrstuvwxyz',
                                    'ABCDEFGHIJKLMNOPQRSTUVWXYZ')"/>
    <xsl:text> 5 "</xsl:text>
    <xsl:value-of select="$date"/>
    <xsl:text>" "ovs-sdfw </xsl:text>
    <xsl:value-of select="$version"/>
    <xsl:text>" "ovs-sdfw Manual"
.SH NAME
sdfw\-</xsl:text>
    <xsl:value-of select="concat($root, ' \- the language of ', $root)"/>
    <xsl:text>s of ovs\-sdfw
.SH DESCRIPTION
</xsl:text>
    <xsl:call-template name="documentation"/>
    <xsl:text>.PP
Entities and DTDs are refused, and nothing is read from the network.  A file
may have 64 MiB.
.SH ELEMENTS
</xsl:text>
    <xsl:apply-templates select="xs:element"/>
    <xsl:text>.SH OPENINGS&#10;</xsl:text>
    <xsl:choose>
      <xsl:when test="$root = 'manifest'">
        <xsl:text>What a link opens, or an accept agrees to.&#10;</xsl:text>
      </xsl:when>
      <xsl:otherwise>
        <xsl:text>What a service listens on, or a rule is about.&#10;</xsl:text>
      </xsl:otherwise>
    </xsl:choose>
    <xsl:apply-templates select="xs:group/xs:choice/xs:element"/>
    <xsl:text>.SH VALUES&#10;White space around a value does not count.&#10;</xsl:text>
    <xsl:for-each select="xs:simpleType">
      <xsl:text>.TP&#10;\fI</xsl:text>
      <xsl:value-of select="@name"/>
      <xsl:text>\fR&#10;</xsl:text>
      <xsl:call-template name="documentation"/>
    </xsl:for-each>
    <xsl:text>.SH EXAMPLE
.nf
</xsl:text>
    <xsl:choose>
      <xsl:when test="$root = 'manifest'">
        <xsl:call-template name="manifest-example"/>
      </xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="catalogue-example"/>
      </xsl:otherwise>
    </xsl:choose>
    <xsl:text>.fi
.SH SEE ALSO
.BR sdfw (8)
</xsl:text>
  </xsl:template>

  <xsl:template name="manifest-example">
    <xsl:text>&lt;manifest xmlns="urn:ovs\-sdfw:manifest:1" version="1"&gt;
  &lt;network name="office"&gt;
    &lt;prefix&gt;192.0.2.0/24&lt;/prefix&gt;
    &lt;except&gt;192.0.2.13&lt;/except&gt;
  &lt;/network&gt;
  &lt;application name="shop" mode="enforce"&gt;
    &lt;service name="web"&gt;
      &lt;workload name="web\-1" interface="vnet3"&gt;
        &lt;mac&gt;52:54:00:12:34:56&lt;/mac&gt;
        &lt;address&gt;10.0.0.11&lt;/address&gt;
      &lt;/workload&gt;
    &lt;/service&gt;
    &lt;link from="office" to="web"&gt;
      &lt;tcp port="80,443"/&gt;
    &lt;/link&gt;
  &lt;/application&gt;
  &lt;expect from="office" to="shop/web" protocol="tcp" port="443"
          verdict="allow"/&gt;
&lt;/manifest&gt;
</xsl:text>
  </xsl:template>

  <xsl:template name="catalogue-example">
    <xsl:text>&lt;catalogue xmlns="urn:ovs\-sdfw:catalogue:1" version="1"&gt;
  &lt;service id="ledger" title="our ledger" class="database"
           names="ledger" calls="backup"&gt;
    &lt;tcp port="7400"/&gt;
  &lt;/service&gt;
  &lt;rule id="old\-tls" verdict="dangerous" score="60" from="outside"
        title="the old gateway"&gt;
    &lt;tcp port="8443"/&gt;
    &lt;explanation&gt;It knows TLS 1.0 only.&lt;/explanation&gt;
    &lt;instead&gt;Use tcp/443 of the new one.&lt;/instead&gt;
  &lt;/rule&gt;
  &lt;accept\-risk rule="old\-tls" from="partner" to="shop/web"
               reason="moves in May" ticket="RISK\-7"
               not\-after="2027\-06\-01T00:00:00Z"/&gt;
  &lt;drop id="well\-known\-port"/&gt;
&lt;/catalogue&gt;
</xsl:text>
  </xsl:template>
</xsl:stylesheet>
